// SPDX-License-Identifier: Apache-2.0
import Postgres

/// The partitions of the token log: made ahead, and dropped when all in them is older than the retention.
///
/// Nobody who appends or reads waits for it. A partition is detached CONCURRENTLY, which holds no lock on the log while it
/// waits for those who may still read the partition; with a plain one, whatever comes after it in line would wait as well.
/// One round waits for ``patience``; what it leaves half done, as any process that dies does, the next round ends first.
package struct EventPartitions: Sendable {
    /// The longest wait for others of each step. More than the second after which an autovacuum that is in the way ends.
    package static let patience: Duration = .seconds(3)

    private let database: Database
    private let patience: Duration

    /// - Parameters:
    ///   - database: where the log is.
    ///   - patience: of each step; see ``patience``.
    package init(database: Database, patience: Duration = Self.patience) {
        self.database = database
        self.patience = patience
    }

    /// Makes what is missing for the next two days and drops what is too old.
    ///
    /// - Parameters:
    ///   - retention: how long an event is kept at least.
    ///   - onDrop: is told the name of each that is gone.
    /// - Throws: `unavailable` when a transaction that is open stands in the way: a later round goes on from there.
    package func keep(
        retention: Duration, onDrop: (String) -> Void = { _ in }
    ) async throws(PersistenceError) {
        _ = try await database.query(PartitionStatements.ensure)
        let seconds = retention.components.seconds
        while true {
            let old = try await database.query(PartitionStatements.old(retentionSeconds: seconds))
            let row: (Int64?, String?)?
            do throws(PostgresError) {
                row = try old.decodeFirst(Int64?.self, String?.self)
            } catch {
                throw PersistenceError(error)
            }
            guard case (let number?, let word?)? = row, let stage = Stage(rawValue: word) else { return }
            try await drop(number, from: stage)
            onDrop(PartitionStatements.name(number))
        }
    }

    /// Where a partition stands on its way out.
    private enum Stage: String {
        case attached, detaching, detached
    }

    private func drop(_ number: Int64, from stage: Stage) async throws(PersistenceError) {
        switch stage {
        case .attached:
            try await run(PartitionStatements.mark(number))
            try await run(PartitionStatements.detach(number))
        case .detaching: try await run(PartitionStatements.finishDetaching(number))
        case .detached: break
        }
        try await run(PartitionStatements.drop(number))
    }

    /// Outside of any transaction. What takes longer than the patience is cancelled on the server.
    private func run(_ statement: String) async throws(PersistenceError) {
        do {
            try await database.pool.withConnection { connection in
                try await connection.runScript(statement, deadline: .now + patience)
            }
        } catch {
            throw PersistenceError(error)
        }
    }
}
