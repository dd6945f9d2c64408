// SPDX-License-Identifier: Apache-2.0
package import Jobs

/// A kind of job that people may enqueue by themselves, and within which limits.
package struct EnqueueableKind: Sendable {
    /// What it does.
    package let kind: JobKind
    /// Which line it waits in.
    package let lane: Lane
    /// Priorities that may be asked for.
    package let priorities: ClosedRange<Int>
    /// How far ahead it may be scheduled.
    package let longestDelay: Duration
    /// Of the payload as JSON.
    package let maximumPayloadBytes: Int
    /// How long one run may take.
    package let runLimit: Duration

    /// A row of the table.
    package init(
        _ kind: JobKind, lane: Lane, priorities: ClosedRange<Int> = -100...0,
        longestDelay: Duration = .seconds(30 * 86_400), maximumPayloadBytes: Int = 64 << 10,
        runLimit: Duration = .seconds(900)
    ) {
        self.kind = kind
        self.lane = lane
        self.priorities = priorities
        self.longestDelay = longestDelay
        self.maximumPayloadBytes = maximumPayloadBytes
        self.runLimit = runLimit
    }

    /// The table. Empty: every kind of today belongs to a session or a message, whose routes make its jobs.
    package static let all: [EnqueueableKind] = []
}
