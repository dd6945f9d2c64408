// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What requests are counted by. Two words, so that it is compared and hashed without a look at any text.
package struct RateLimitBucket: Sendable, Hashable, Comparable {
    /// What the key names. The raw value is stored.
    package enum Kind: Int16, Sendable, Hashable, CaseIterable {
        /// A person.
        case user = 1
        /// Where requests come from.
        case address = 2
        /// Attempts to log in from an address to an account.
        case attempt = 3
        /// Attempts to log in from an address to whatever account.
        case attempts = 4
    }

    /// What the key names.
    package let kind: Kind
    /// The first half of the key.
    package let high: UInt64
    /// The second half.
    package let low: UInt64

    /// From 128 bits that name one thing of its kind.
    package init(_ kind: Kind, high: UInt64, low: UInt64) {
        self.kind = kind
        self.high = high
        self.low = low
    }

    /// A person's.
    package init(user: UserID) { self.init(.user, high: user.high, low: user.low) }

    /// The order in which rows are locked, the same in every process.
    package static func < (left: RateLimitBucket, right: RateLimitBucket) -> Bool {
        (left.kind.rawValue, left.high, left.low) < (right.kind.rawValue, right.high, right.low)
    }
}
