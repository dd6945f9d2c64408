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

    /// A leaf and what lies above it, oldest first: what a prompt may be made of. One statement, which never loads
    /// much more than the bounds, however long the conversation is.
    /// Bytes are those of text and parts; the message that reaches the bound is still included, so that the caller sees
    /// that there is more than fits.
    ///
    /// - Returns: empty when the user has no such message.
    package func thread(
        endingAt leaf: MessageID, user: UserID, maximumCount: Int = maximumCount, maximumBytes: Int = maximumBytes
    ) async throws(PersistenceError) -> [StoredMessage] {
        let rows = try await database.query(
            MessageStatements.thread(
                endingAt: leaf, user: user, maximumCount: maximumCount, maximumBytes: maximumBytes))
        return MessageThread.path(to: leaf, in: try Self.messages(in: rows))
    }

    /// The same with what the leaf's session wants, in one round trip: what a reply begins with.
    ///
    /// - Returns: `nil` when the user has no such session, or no such message.
    package func thread(
        endingAt leaf: MessageID, with session: SessionID, user: UserID
    ) async throws(PersistenceError) -> TurnThread? {
        let answers = try await database.pipeline([
            SessionStatements.find(session, user: user),
            MessageStatements.thread(
                endingAt: leaf, user: user, maximumCount: Self.maximumCount, maximumBytes: Self.maximumBytes),
        ])
        guard let row = answers[0].first else { return nil }
        var columns = ColumnReader(row)
        let found = try ChatSession(&columns)
        return TurnThread(
            endingAt: leaf, owner: user, modelID: found.modelID, instructions: found.instructions,
            in: try Self.messages(in: answers[1]))
    }

    private static func messages(in rows: PostgresRows) throws(PersistenceError) -> [StoredMessage] {
        var messages: [StoredMessage] = []
        for row in rows {
            var columns = ColumnReader(row)
            messages.append(try StoredMessage(&columns))
        }
        return messages
    }

    /// Bounds of a thread, where the caller names none.
    package static let maximumCount = 2000
    /// See ``maximumCount``.
    package static let maximumBytes = 16 << 20
}
