// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Messages of a user's conversations, read. They are written by the transactions of turns.
package struct MessageStore: Sendable {
    private let database: Database

    /// Without state of its own.
    package init(database: Database) { self.database = database }

    /// The end of the path to a leaf, oldest first; with a cursor, the oldest message of the page before, the path
    /// above that one, and the leaf does not count. The caller bounds the limit, which is 1 or more.
    ///
    /// - Returns: the page with the cursor of the one above it; empty when the user has no such message there.
    package func path(
        to leaf: MessageID, in session: SessionID, user: UserID, above cursor: MessageID? = nil, limit: Int
    ) async throws(PersistenceError) -> Page<PlacedMessage, MessageID> {
        // One row more tells whether there is a page above; one more yet is the cursor itself.
        let rows = try await database.query(
            MessageStatements.path(
                to: cursor ?? leaf, isExclusive: cursor != nil, session: session, user: user,
                limit: limit + (cursor == nil ? 1 : 2)))
        var seen: Set<MessageID> = []
        if let cursor { seen.insert(cursor) }
        var messages: [PlacedMessage] = []
        for row in rows {
            var columns = ColumnReader(row)
            let message = try PlacedMessage(&columns)
            // A circle in the tree repeats: the path ends where it closes.
            guard seen.insert(message.message.id).inserted else { break }
            messages.append(message)
        }
        return Page(upwards: messages, limit: limit) { $0.message.id }
    }

    /// - Returns: `nil` when the user has no such message.
    package func find(_ id: MessageID, user: UserID) async throws(PersistenceError) -> PlacedMessage? {
        guard let row = try await database.query(MessageStatements.find(id, user: user)).first else { return nil }
        var columns = ColumnReader(row)
        return try PlacedMessage(&columns)
    }

    /// The reply that a job writes or wrote.
    /// - Returns: `nil` when the user has none of that job.
    package func find(job: JobID, user: UserID) async throws(PersistenceError) -> StoredMessage? {
        guard let row = try await database.query(MessageStatements.find(job: job, user: user)).first else {
            return nil
        }
        var columns = ColumnReader(row)
        return try StoredMessage(&columns)
    }

    /// A leaf and what lies above it, with what its session wants: what a reply begins with. One round trip, which never
    /// loads much more than the bounds, however long the conversation is.
    /// Bytes are those of text and parts; the message that reaches the bound is still included, so that the caller sees
    /// that there is more than fits.
    ///
    /// - Returns: `nil` when the user has no such session, or no such message.
    package func thread(
        endingAt leaf: MessageID, with session: SessionID, user: UserID, maximumCount: Int = maximumCount,
        maximumBytes: Int = maximumBytes
    ) async throws(PersistenceError) -> TurnThread? {
        let answers = try await database.pipeline([
            SessionStatements.find(session, user: user),
            MessageStatements.thread(
                endingAt: leaf, user: user, maximumCount: maximumCount, maximumBytes: maximumBytes),
        ])
        guard let row = answers[0].first else { return nil }
        var columns = ColumnReader(row)
        let found = try ChatSession(&columns)
        var messages: [StoredMessage] = []
        for row in answers[1] {
            var columns = ColumnReader(row)
            messages.append(try StoredMessage(&columns))
        }
        return TurnThread(
            endingAt: leaf, owner: user, modelID: found.modelID, instructions: found.instructions, in: messages)
    }

    /// Bounds of a thread, where the caller names none.
    package static let maximumCount = 2000
    /// See ``maximumCount``.
    package static let maximumBytes = 16 << 20
}
