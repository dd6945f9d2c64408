// SPDX-License-Identifier: Apache-2.0

/// Arrivals at times fixed beforehand: a slow answer does not put off the next arrival, so it cannot hide its own
/// queueing (coordinated omission).
struct OpenLoop: Sendable {
    let start: ContinuousClock.Instant
    let interval: Duration

    init(interval: Duration, startingIn lead: Duration = .milliseconds(50)) {
        start = .now + lead
        self.interval = interval
    }

    /// Waits until the arrival with this number, from 0, is due.
    ///
    /// - Returns: when it was due, which is what its latency counts from.
    func arrival(_ number: Int) async throws -> ContinuousClock.Instant {
        let due = start + interval * number
        try await ContinuousClock().sleep(until: due, tolerance: .zero)
        return due
    }
}
