// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Postgres

/// Conversations of a user. Another user's are answered as those that do not exist.
package struct SessionStore: Sendable {
    private let database: Database
    private let onChange: SessionChangeHandler

    /// - Parameters:
    ///   - database: where they are.
    ///   - onChange: told of what was changed here, after the commit.
    package init(database: Database, onChange: @escaping SessionChangeHandler = { _ in }) {
        self.database = database
        self.onChange = onChange
    }

    /// Begins a conversation.
    package func create(_ new: NewSession) async throws(PersistenceError) -> ChatSession {
        guard let session = try await first(SessionStatements.insert(new)) else {
            throw PersistenceError(.internal, detail: "no row was inserted")
        }
        return session
    }

    /// By last activity, the newest first. The cursor is the page's before; `archived` takes only those put aside, or
    /// only the others. The caller bounds the limit, which is 1 or more.
    package func list(
        of user: UserID, after cursor: TimeCursor? = nil, archived: Bool? = nil, limit: Int
    ) async throws(PersistenceError) -> Page<ChatSession, TimeCursor> {
        let rows = try await database.query(
            SessionStatements.list(
                of: user, beforeTime: cursor?.time.postgresRepresentation ?? .infinity,
                beforeID: PostgresUUID(high: cursor?.high ?? .max, low: cursor?.low ?? .max), archived: archived,
                limit: limit + 1))
        var sessions: [ChatSession] = []
        for row in rows {
            var columns = ColumnReader(row)
            sessions.append(try ChatSession(&columns))
        }
        return Page(rows: sessions, limit: limit) { TimeCursor(time: $0.updatedAt, id: $0.id) }
    }

    /// - Returns: `nil` when the user has no such session.
    package func find(_ id: SessionID, user: UserID) async throws(PersistenceError) -> ChatSession? {
        try await first(SessionStatements.find(id, user: user))
    }

    /// Writes what is given and raises the version.
    /// - Throws: `notFound`.
    package func update(
        _ id: SessionID, user: UserID, _ changes: SessionChanges
    ) async throws(PersistenceError) -> ChatSession {
        guard let session = try await first(SessionStatements.update(id, user: user, changes)) else {
            throw PersistenceError(.notFound)
        }
        let kind: SessionChange.Kind = changes.title == nil ? .other : .title(session.title)
        onChange(SessionChange(session: id, version: session.version, kind: kind))
        return session
    }

    /// Deletes a conversation with its messages and cancels its unfinished jobs, all or nothing.
    ///
    /// The jobs go first, because whoever ends a job locks its key before the session's row. A turn that is added
    /// between the two is seen after the row is locked; then all is undone and done again, three times at most: the
    /// run of a turn that slips through even so ends by itself when it finds its message gone.
    /// `cancel` is given the unfinished jobs, the running one last, and cancels them in the transaction.
    /// - Throws: `notFound`; what `cancel` throws.
    package func delete(
        _ id: SessionID, user: UserID, cancelling cancel: (PostgresTransaction, [JobID]) async throws -> Void
    ) async throws(PersistenceError) {
        for attempt in 1...3 {
            let isDone = try await attemptDelete(id, user: user, isLast: attempt == 3, cancel)
            if isDone { return }
        }
    }

    /// Undoes a transaction that found more to cancel.
    private struct MoreJobs: Error {}

    private func attemptDelete(
        _ id: SessionID, user: UserID, isLast: Bool, _ cancel: (PostgresTransaction, [JobID]) async throws -> Void
    ) async throws(PersistenceError) -> Bool {
        do {
            try await database.pool.withTransaction { transaction in
                let jobs = try await Self.unfinishedJobs(of: id, user: user, in: transaction)
                try await cancel(transaction, jobs)
                guard try await !transaction.query(SessionStatements.lock(id, user: user)).isEmpty else {
                    throw PersistenceError(.notFound)
                }
                let remaining = try await Self.unfinishedJobs(of: id, user: user, in: transaction)
                if !isLast, !Set(remaining).isSubset(of: jobs) { throw MoreJobs() }
                try await transaction.execute(SessionStatements.delete(id, user: user))
                transaction.afterCommit { [onChange] in
                    onChange(SessionChange(session: id, version: .max, kind: .deleted))
                }
            }
            return true
        } catch is MoreJobs {
            return false
        } catch {
            throw PersistenceError(error)
        }
    }

    private static func unfinishedJobs(
        of id: SessionID, user: UserID, in transaction: PostgresTransaction
    ) async throws -> [JobID] {
        try await transaction.query(CancelStatements.unfinished(in: id, owner: user)).decode(JobID.self)
    }

    private func first(_ sql: SQL) async throws(PersistenceError) -> ChatSession? {
        guard let row = try await database.query(sql).first else { return nil }
        var columns = ColumnReader(row)
        return try ChatSession(&columns)
    }
}
