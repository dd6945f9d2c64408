// SPDX-License-Identifier: Apache-2.0
import Postgres
import TestSupport

/// Looks into the database behind a deployment's back.
extension Deployment {
    /// A session of the product.
    struct Session: Sendable, Hashable {
        let process: Int32
        /// `switchyard/pool`, …
        let role: String
    }

    /// A connection of the test's own for the length of a body.
    @discardableResult
    func withConnection<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        guard database.contains("://") else { return try await TestCluster.withConnection(to: database, body) }
        return try await TestCluster.withConnection(at: try PostgresConfiguration(url: database), body)
    }

    /// Every session that the product has, oldest first.
    func sessions() async throws -> [Session] {
        try await withConnection { connection in
            try await connection.query(
                """
                SELECT pid, application_name FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'switchyard/%' ORDER BY backend_start, pid
                """
            ).decode(Int32.self, String.self).map { Session(process: $0, role: $1) }
        }
    }

    /// Ends one session, as an administrator would.
    func end(_ session: Session) async throws {
        try await withConnection { connection in
            try await connection.execute("SELECT pg_terminate_backend(\(session.process))")
        }
    }

    /// Tables of jobs that have not ended, where there are any, with how many.
    func unfinished() async throws -> [String: Int64] {
        try await withConnection { connection in
            let rows = try await connection.query(
                """
                SELECT 'ready', count(*) FROM ready UNION ALL SELECT 'waiting', count(*) FROM waiting
                UNION ALL SELECT 'running', count(*) FROM running UNION ALL SELECT 'deferred', count(*) FROM deferred
                UNION ALL SELECT 'serial_heads', count(*) FROM serial_heads
                UNION ALL SELECT 'jobs', count(*) FROM jobs WHERE state IS NULL
                """
            ).decode(String.self, Int64.self)
            return Dictionary(rows.filter { $0.1 > 0 }) { $1 }
        }
    }

    /// Returns once every job has ended.
    ///
    /// - Throws: ``Unheard`` when that takes longer.
    func everythingEnded(within patience: Duration = .seconds(20)) async throws {
        try await until(within: patience) {
            let unfinished = try await unfinished()
            return unfinished.isEmpty ? nil : "\(unfinished)"
        }
    }

    /// Looks again and again until there is nothing to complain of.
    func until(within patience: Duration = .seconds(20), _ complaint: () async throws -> String?) async throws {
        let deadline = ContinuousClock.now + patience
        while let text = try await complaint() {
            if .now > deadline { throw Unheard(hasEnded: false, last: [text]) }
            await Pause.short()
        }
    }
}
