// SPDX-License-Identifier: Apache-2.0

/// Why text could not become an HTTP value: the one error of this module.
///
/// The description names the rule that was broken and never the text, which is a stranger's input.
package struct HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule that was broken; callers choose an answer by it.
    package enum Code: String, Sendable {
        case invalidFieldName = "invalid_field_name"
        case invalidFieldValue = "invalid_field_value"
        case invalidTarget = "invalid_target"
        case invalidMediaType = "invalid_media_type"
        case eventTooLarge = "event_too_large"
    }

    /// Which rule.
    package let code: Code
    /// What exactly, as a constant sentence fit for a person.
    package let reason: StaticString

    /// Always false: the same text breaks the same rule again.
    package var isRetryable: Bool { false }

    /// An error from a constant sentence, so that no input can get into it.
    package init(_ code: Code, _ reason: StaticString) {
        self.code = code
        self.reason = reason
    }

    /// Two errors are the same when the same rule was broken, however it is worded.
    package static func == (left: HTTPError, right: HTTPError) -> Bool { left.code == right.code }

    /// Follows `==`.
    package func hash(into hasher: inout Hasher) { hasher.combine(code) }

    /// Free of user data.
    package var description: String { "\(code.rawValue): \(reason)" }
}
