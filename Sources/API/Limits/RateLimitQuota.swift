// SPDX-License-Identifier: Apache-2.0
import HTTP

/// What a client may still do: the figures of its tightest limit.
struct RateLimitQuota: Sendable, Hashable {
    private static let limitField: HTTPFieldName = "RateLimit-Limit"
    private static let remainingField: HTTPFieldName = "RateLimit-Remaining"
    private static let resetField: HTTPFieldName = "RateLimit-Reset"

    /// Requests of a window.
    let limit: Int
    /// How many of them are left, after this one.
    let remaining: Int
    /// Until the next window.
    let reset: Duration

    /// `RateLimit-Limit`, `RateLimit-Remaining`, and `RateLimit-Reset` in whole seconds.
    func write(to fields: inout HTTPFields) {
        fields.set(Self.limitField, HTTPFieldValue(limit))
        fields.set(Self.remainingField, HTTPFieldValue(remaining))
        fields.set(Self.resetField, HTTPFieldValue(reset.wholeSecondsRoundedUp))
    }

    /// The one with less left; the first when there is no difference.
    static func tighter(_ first: RateLimitQuota, _ second: RateLimitQuota) -> RateLimitQuota {
        second.remaining < first.remaining ? second : first
    }
}
