// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Postgres

/// Reads the log for those who watch.
package struct EventLogReader: Sendable {
    /// Where one reader of one job stands.
    package struct Position: Sendable, Hashable {
        /// Whose stream it is.
        package let job: JobID
        /// The last event the reader has.
        package let cursor: StreamCursor

        /// See the properties.
        package init(job: JobID, cursor: StreamCursor) {
            self.job = job
            self.cursor = cursor
        }
    }

    let pool: PostgresPool

    /// Any pool; reads are short.
    package init(pool: PostgresPool) {
        self.pool = pool
    }

    /// What follows a cursor, at most `limit` events in order.
    package func read(
        _ job: JobID, after cursor: StreamCursor, limit: Int = 1000
    ) async throws(PostgresError) -> [LoggedEvent] {
        let rows = try await pool.query(
            EventStatements.read(job, after: cursor, since: job.madeAt, limit: Int32(clamping: limit)))
        var events: [LoggedEvent] = []
        events.reserveCapacity(rows.count)
        for row in rows { events.append(try EventStatements.decode(row)) }
        return events
    }
}
