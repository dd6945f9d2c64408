// SPDX-License-Identifier: Apache-2.0

/// A text that must not be shown: a key, a password, a token. Whatever prints, interpolates, dumps or logs it
/// sees `***`. It is deliberately not `Equatable`: secrets are compared in constant time by Cryptography.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    /// Wraps what was read from the environment or a request.
    package init(_ text: String) { self.text = text }

    /// The text itself; every use is a place to look at in a review.
    package func revealed() -> String { text }

    /// For configuration: an empty variable counts as unset.
    package var isEmpty: Bool { text.isEmpty }

    /// Always `***`.
    package var description: String { "***" }
    /// Always `***`.
    package var debugDescription: String { "***" }
    /// Without children, so that `dump` and `Mirror` find nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension LogValue {
    /// Always `***`.
    package init(_ secret: Secret) { self = .string(secret.description) }
}
