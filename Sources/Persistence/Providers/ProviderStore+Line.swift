// SPDX-License-Identifier: Apache-2.0
package import Chat
import Jobs
import Postgres

extension ProviderStore {
    /// How many jobs stand behind gates, counted up to a limit in each lane; gates without any are left out.
    package func backlog(gates: [Int16], limit: Int) async throws(PersistenceError) -> [Int16: Int] {
        if gates.isEmpty { return [:] }
        let rows = try await query(ProviderStatements.backlog(gates: gates, limit: Int32(clamping: limit)))
        var counts: [Int16: Int] = [:]
        for row in rows {
            var columns = ColumnReader(row)
            let gate: Int16 = try columns.next()
            counts[gate] = try columns.next()
        }
        return counts
    }

    /// Puts jobs that were just claimed back to wait, as if they had not been: no attempt is spent.
    ///
    /// - Returns: those that wait now; the others are to be cancelled, or not this worker's any more.
    package func putOff(_ jobs: [PutOff]) async throws(PersistenceError) -> Set<JobID> {
        if jobs.isEmpty { return [] }
        let rows = try await query(
            ProviderStatements.putOff(
                jobs: jobs.map(\.lease.job), leases: jobs.map(\.lease.number),
                delays: jobs.map { $0.delay.wholeMilliseconds * 1000 }, reasons: jobs.map(\.reason)))
        var moved: Set<JobID> = []
        for row in rows {
            var columns = ColumnReader(row)
            moved.insert(try columns.next())
        }
        return moved
    }

    /// The models that sessions name, each for its owner; a session that is gone or another's is left out.
    package func models(
        of sessions: [(SessionID, owner: UserID)]
    ) async throws(PersistenceError) -> [SessionID: ModelID?] {
        if sessions.isEmpty { return [:] }
        let rows = try await query(
            ProviderStatements.sessionModels(sessions.map(\.0), owners: sessions.map(\.owner)))
        var models: [SessionID: ModelID?] = [:]
        for row in rows {
            var columns = ColumnReader(row)
            let session: SessionID = try columns.next()
            let model: ModelID? = try columns.next()
            models.updateValue(model, forKey: session)
        }
        return models
    }

    /// Deletes rows that say nothing any more; part of the upkeep.
    package func tidy() async throws(PersistenceError) {
        _ = try await query(ProviderStatements.tidy)
    }

    private func query(_ sql: SQL) async throws(PersistenceError) -> PostgresRows { try await database.query(sql) }
}
