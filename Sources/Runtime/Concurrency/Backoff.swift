// SPDX-License-Identifier: Apache-2.0

/// Exponential back-off with full jitter: uniformly within [0, min(cap, base · 2^attempt)].
///
/// Full jitter spreads a crowd that failed together better than a fixed delay with a little noise.
package struct Backoff: Sendable, Hashable {
    /// The most that the first retry waits.
    package let base: Duration
    /// The most that any retry waits.
    package let cap: Duration

    /// A base above the cap counts as the cap.
    package init(base: Duration, cap: Duration) {
        self.base = base
        self.cap = cap
    }

    /// The longest delay of an attempt; the first retry is attempt 0.
    package func ceiling(attempt: Int) -> Duration {
        var ceiling = min(base, cap)
        for _ in 0..<max(0, attempt) {
            if ceiling >= cap { break }
            ceiling = min(ceiling * 2, cap)
        }
        return ceiling
    }

    /// One draw for an attempt.
    package func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        ceiling(attempt: attempt) * Double.random(in: 0...1, using: &generator)
    }

    /// One draw from the system's generator.
    package func delay(attempt: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return delay(attempt: attempt, using: &generator)
    }
}
