// SPDX-License-Identifier: Apache-2.0

/// Decides what follows a failed run. Pure: the random draw comes from the caller.
package struct RetryPolicy: Sendable, Hashable {
    /// What becomes of the job.
    package enum Decision: Sendable, Hashable {
        /// Back in line after a delay.
        case again(after: Duration, attemptSpent: Bool)
        /// Back in line now, with the attempt given back.
        case handOver
        case fail
    }

    /// The wait after a 429 that names none (`PROVIDER_429_DELAY_MS`).
    package var rateLimitDelay: Duration
    /// The first wait after a failure of the provider (`PROVIDER_5XX_DELAY_MS`); doubles, with full jitter.
    package var base: Duration
    /// No wait of ours is longer.
    package var cap: Duration
    /// No wait that a provider asks for is longer.
    package var longestRetryAfter: Duration

    /// The defaults of the design: 15 s, 2 s, 5 min, 1 h.
    package init(
        rateLimitDelay: Duration = .seconds(15), base: Duration = .seconds(2), cap: Duration = .seconds(300),
        longestRetryAfter: Duration = .seconds(3600)
    ) {
        self.rateLimitDelay = rateLimitDelay
        self.base = base
        self.cap = cap
        self.longestRetryAfter = longestRetryAfter
    }

    /// Runs that may end with their worker before the job is held to be the cause.
    package static let poisonCrashes: Int16 = 3

    /// What follows one failed run.
    ///
    /// - Parameters:
    ///   - failure: its class decides; a wait that the provider named wins over ours.
    ///   - attempt: the failed run's number, from 1.
    ///   - maximumAttempts: attempts after which a retryable failure is final.
    ///   - jitter: within 0...1, drawn by the caller.
    /// - Returns: what becomes of the job, and whether the attempt counts.
    package func decide(
        _ failure: JobFailure, attempt: Int16, maximumAttempts: Int16, jitter: Double
    ) -> Decision {
        switch failure.class {
        case .fatal: return .fail
        case .interrupted: return .handOver
        case .rateLimited, .waiting:
            return .again(after: min(failure.retryAfter ?? rateLimitDelay, longestRetryAfter), attemptSpent: false)
        case .retry:
            if attempt >= maximumAttempts { return .fail }
            if let asked = failure.retryAfter {
                return .again(after: min(asked, longestRetryAfter), attemptSpent: true)
            }
            return .again(after: ceiling(attempt) * min(max(jitter, 0), 1), attemptSpent: true)
        }
    }

    private func ceiling(_ attempt: Int16) -> Duration {
        var ceiling = min(base, cap)
        for _ in 0..<max(0, attempt - 1) where ceiling < cap { ceiling = min(ceiling * 2, cap) }
        return ceiling
    }
}
