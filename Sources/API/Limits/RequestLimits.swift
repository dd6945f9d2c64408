// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import Persistence
import Synchronization

/// The limits that one request keeps, and what its answer says of them.
final class RequestLimits: Sendable {
    private let limiter: RateLimiter
    private let address: RateLimitBucket
    private let tightest = Mutex<RateLimitQuota?>(nil)

    init(limiter: RateLimiter, address: RateLimitBucket) {
        self.limiter = limiter
        self.address = address
    }

    /// For the answer's fields; `nil` before anything was counted.
    var quota: RateLimitQuota? { tightest.withLock { $0 } }

    /// Turns away an address that is known to be over its limit, before anything is done for it.
    /// - Throws: `rate_limited`.
    func refuseKnown() throws(APIError) {
        if let verdict = limiter.knownRefusal(of: address) { try keep(verdict) }
    }

    /// Counts the request.
    /// - Throws: `rate_limited`; `unavailable`.
    func admit(_ user: UserID?) async throws(APIError) {
        try keep(try await limiter.check(user: user, address: address))
    }

    /// Counts an attempt to become somebody: by the name that was given, without regard to case, or by a token. Only
    /// their hash is stored.
    /// - Throws: `rate_limited`; `unavailable`.
    func admitAttempt(on account: String) async throws(APIError) {
        func bytes(_ word: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
        let hash = SHA256.hash(bytes(address.high) + bytes(address.low) + Array(account.lowercased().utf8))
        func half(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let attempt = RateLimitBucket(.attempt, high: half(hash[..<8]), low: half(hash[8..<16]))
        try keep(try await limiter.checkAttempt(attempt, from: address))
    }

    private func keep(_ verdict: RateLimiter.Verdict) throws(APIError) {
        tightest.withLock { tightest in
            let isRefusal = verdict.refusedBy != nil
            tightest = isRefusal ? verdict.quota : tightest.map { .tighter($0, verdict.quota) } ?? verdict.quota
        }
        guard let kind = verdict.refusedBy else { return }
        let seconds = verdict.quota.reset.wholeSecondsRoundedUp
        throw APIError(
            .rateLimited, "Too many requests. Please try again in \(seconds) \(seconds == 1 ? "second" : "seconds").",
            retryAfter: verdict.quota.reset, cause: "\(kind)")
    }
}
