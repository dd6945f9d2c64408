// SPDX-License-Identifier: Apache-2.0

/// One value that a ``JSONProjection`` found. Containers are given as the range of their bytes in the input, to be
/// parsed only by who needs them.
package enum JSONFragment: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case container(Range<Int>)

    /// The text, or `nil` for any other type.
    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, also when it is written as `3.0`; `nil` for any other type.
    package var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(integral: value)
        default: nil
        }
    }

    /// Where a container lies in the input, or `nil` for any other type.
    package var containerRange: Range<Int>? {
        if case .container(let range) = self { range } else { nil }
    }
}
