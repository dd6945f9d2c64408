// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Postgres

/// Idempotency keys, taken within the transaction that does the work, so that key and work are stored together or not
/// at all.
package struct IdempotencyStore: Sendable {
    private static let batch: Int32 = 1000

    private let database: Database
    private let retentionHours: Int32

    /// Keys are kept for `retentionHours` at least.
    package init(database: Database, retentionHours: Int = 24) {
        self.database = database
        self.retentionHours = Int32(clamping: retentionHours)
    }

    /// Takes a key, or tells what holds it. A duplicate that runs at the same time waits here until the first has
    /// committed and then sees its outcome, or takes the key when the first was rolled back.
    ///
    /// `job` is the one that the request makes, `outcome` the ids that the caller has chosen, in whatever form it reads
    /// them again. The transaction is read committed, as ``Database/withTransaction(_:)`` makes them.
    package static func claim(
        _ key: IdempotencyKey, job: JobID?, outcome: String, in transaction: PostgresTransaction
    ) async throws(PersistenceError) -> IdempotencyOutcome {
        do throws(PostgresError) {
            // Again when a holder was deleted between the two statements.
            for _ in 0..<3 {
                let inserted = try await transaction.execute(
                    IdempotencyStatements.insert(key, job: job, outcome: outcome))
                if inserted == 1 { return .new }
                let rows = try await transaction.query(IdempotencyStatements.find(key))
                if let (hash, job, outcome) = try rows.decodeFirst([UInt8].self, JobID?.self, String.self) {
                    return hash == key.bodyHash ? .existing(job: job, outcome: outcome) : .mismatch
                }
            }
        } catch {
            throw PersistenceError(error)
        }
        throw PersistenceError(.unavailable, detail: "an idempotency key is contended")
    }

    /// What a key stands for, before any work is begun; `new` promises nothing.
    package func find(_ key: IdempotencyKey) async throws(PersistenceError) -> IdempotencyOutcome {
        guard let row = try await database.query(IdempotencyStatements.find(key)).first else { return .new }
        var columns = ColumnReader(row)
        let hash: [UInt8] = try columns.next()
        guard hash == key.bodyHash else { return .mismatch }
        return .existing(job: try columns.next(), outcome: try columns.next())
    }

    /// Forgets keys older than the retention, in batches that hold their locks briefly.
    /// - Returns: how many.
    package func deleteOld() async throws(PersistenceError) -> Int {
        var total = 0
        while true {
            let deleted = try await database.execute(
                IdempotencyStatements.deleteOld(hours: retentionHours, limit: Self.batch))
            total += deleted
            if deleted < Int(Self.batch) { return total }
        }
    }
}
