// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Postgres

/// Reads sessions for the pages that watch them, many at once.
package struct SessionWatchReader: Sendable {
    /// One session that somebody watches.
    package struct Place: Sendable, Hashable {
        /// Which one.
        package let session: SessionID
        /// Whose; a session of another is not found.
        package let owner: UserID

        /// See the properties.
        package init(session: SessionID, owner: UserID) {
            self.session = session
            self.owner = owner
        }
    }

    /// One message that has changed.
    package struct Item: Sendable, Hashable {
        /// Which one.
        package let message: MessageID
        /// Whose.
        package let owner: UserID

        /// See the properties.
        package init(message: MessageID, owner: UserID) {
            self.message = message
            self.owner = owner
        }
    }

    /// What one look found.
    package struct Look: Sendable {
        /// For each place, in the order asked for; nil when it is gone.
        package var snapshots: [SessionSnapshot?]
        /// Those that exist and are not too large.
        package var messages: [PlacedMessage] = []
    }

    /// A message over this is not read for those who watch: they are told to look for themselves.
    package static let maximumMessageBytes = 1 << 20

    private let pool: PostgresPool

    /// Any pool; reads are short.
    package init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Snapshots and messages with one round trip, the snapshots first: a message is not older than they are.
    /// - Throws: `unavailable`, and what else a statement can end with.
    package func look(
        at places: [Place], messages items: [Item], deadline: ContinuousClock.Instant
    ) async throws(PersistenceError) -> Look {
        var look = Look(snapshots: places.map { _ in nil })
        var statements: [SQL] = []
        if !places.isEmpty {
            statements.append(
                SessionWatchStatements.snapshots(of: places.map(\.session), owners: places.map(\.owner)))
        }
        if !items.isEmpty {
            statements.append(
                SessionWatchStatements.messages(
                    items.map(\.message), owners: items.map(\.owner), maximumBytes: Self.maximumMessageBytes))
        }
        var answers = try await run(statements, deadline)[...]
        if !places.isEmpty, let rows = answers.popFirst() {
            for row in rows {
                var columns = ColumnReader(row)
                let place: Int64 = try columns.next()
                guard let index = Int(exactly: place - 1), places.indices.contains(index) else { continue }
                look.snapshots[index] = try SessionSnapshot(places[index].session, &columns)
            }
        }
        if let rows = answers.popFirst() {
            for row in rows {
                var columns = ColumnReader(row)
                look.messages.append(try PlacedMessage(&columns))
            }
        }
        return look
    }

    /// The version of each place in one statement, in the order asked for; nil when it is gone.
    package func versions(
        of places: [Place], deadline: ContinuousClock.Instant
    ) async throws(PersistenceError) -> [Int64?] {
        var versions: [Int64?] = places.map { _ in nil }
        let answers = try await run(
            [SessionWatchStatements.versions(of: places.map(\.session), owners: places.map(\.owner))], deadline)
        guard let rows = answers.first else { return versions }
        for row in rows {
            var columns = ColumnReader(row)
            let (place, version): (Int64, Int64) = (try columns.next(), try columns.next())
            guard let index = Int(exactly: place - 1), versions.indices.contains(index) else { continue }
            versions[index] = version
        }
        return versions
    }

    private func run(
        _ statements: [SQL], _ deadline: ContinuousClock.Instant
    ) async throws(PersistenceError) -> [PostgresRows] {
        do throws(PostgresError) {
            return try await pool.pipeline(statements, deadline: deadline)
        } catch { throw PersistenceError(error) }
    }
}
