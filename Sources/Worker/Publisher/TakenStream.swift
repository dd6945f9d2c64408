// SPDX-License-Identifier: Apache-2.0
package import Jobs

/// A stream out of the publisher's hands: what its run wrote, and how much of it is known to be stored.
package struct TakenStream: Sendable {
    /// Whose it is.
    package let lease: Lease
    /// Every event of the lease, in order.
    package let events: [StampedEvent]
    /// Known to be stored when it was taken. After a lost connection nothing is known: write all again.
    package let acknowledgedCount: Int
    /// The lease was lost: nothing is to be written.
    package let isLost: Bool
    /// The database refuses one of its events: the job is to be failed with what the log has.
    package let isRefused: Bool

    /// The stream of a run that wrote nothing.
    static func unused(_ lease: Lease) -> TakenStream {
        TakenStream(lease: lease, events: [], acknowledgedCount: 0, isLost: false, isRefused: false)
    }

    /// The stream of a run that may write nothing.
    static func lost(_ lease: Lease) -> TakenStream {
        TakenStream(lease: lease, events: [], acknowledgedCount: 0, isLost: true, isRefused: false)
    }

    /// What the ending transaction has to store with its own events.
    package var unacknowledged: ArraySlice<StampedEvent> { events[acknowledgedCount...] }
    /// The place of the next event.
    package var nextSequence: Int32 { Int32(events.count) + 1 }
}
