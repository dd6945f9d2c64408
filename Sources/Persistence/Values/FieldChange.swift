// SPDX-License-Identifier: Apache-2.0

/// What an update does to a field that may be empty: a request that leaves it out is not one that says `null`.
package enum FieldChange<Value: Sendable>: Sendable {
    /// As it is.
    case keep
    /// To a value, or to none.
    case set(Value?)

    /// Whether the field is written.
    var isSet: Bool {
        if case .set = self { true } else { false }
    }

    /// What is written.
    var value: Value? {
        if case .set(let value) = self { value } else { nil }
    }
}
