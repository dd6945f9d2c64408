// SPDX-License-Identifier: Apache-2.0

/// A token that says nothing: 32 random bytes that are looked up by their hash. Because they are random, a plain
/// SHA-256 is enough to store them; a password hash would cost time and add nothing.
package struct OpaqueToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What the token begins with, so that people and secret scanners can tell what they found.
    package enum Kind: String, Sendable, CaseIterable {
        /// An API key of ours.
        case apiKey = "sk-"
        /// A refresh token.
        case refresh = "rt-"
        /// A one-time token that was sent by mail.
        case oneTime = "ot-"
    }

    /// Which prefix it has.
    package let kind: Kind
    /// The whole token, shown once to its owner and never stored.
    package let text: String

    /// The 32 bytes to store and to look up by.
    package var hash: [UInt8] { SHA256.hash(Array(text.utf8)) }

    /// A new token.
    package static func generate(_ kind: Kind) -> OpaqueToken {
        OpaqueToken(kind: kind, text: kind.rawValue + Base64URL.encode(RandomBytes.generate(count: 32)))
    }

    /// Takes a token a client sent. `nil` when it does not have the form; the database need not be asked then.
    package init?(_ text: String, kind: Kind) {
        guard text.hasPrefix(kind.rawValue), text.utf8.count == kind.rawValue.utf8.count + 43,
            Base64.decode(text.dropFirst(kind.rawValue.count), alphabet: .url)?.count == 32
        else { return nil }
        self.init(kind: kind, text: text)
    }

    private init(kind: Kind, text: String) {
        self.kind = kind
        self.text = text
    }

    /// The prefix and `***`.
    package var description: String { kind.rawValue + "***" }
    /// The prefix and `***`.
    package var debugDescription: String { description }
    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
