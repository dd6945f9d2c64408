// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Where the publisher writes: the token log behind one connection of its own.
package protocol EventAppender: Sendable {
    /// Appends fenced events and announces them with the others, in one asynchronous-commit transaction.
    ///
    /// - Returns: the jobs whose lease still stood.
    func append(
        _ events: [StampedEvent], announcing announcements: [StampedEvent]
    ) async throws(EventAppendError) -> Set<JobID>

    /// The last stored sequence of each lease; reconnects first where the connection is gone.
    func lastSequences(of leases: [Lease]) async throws(EventAppendError) -> [Lease: Int32]
}

/// Why an append did not happen, or may not have.
package enum EventAppendError: Error, Sendable {
    /// The connection is gone; whether the flush was stored is unknown.
    case connectionLost
    /// The database refuses the data of at least one event.
    case refused(code: String)
    /// The appending task was cancelled.
    case cancelled
}
