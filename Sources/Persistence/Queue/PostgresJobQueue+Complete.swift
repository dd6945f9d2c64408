// SPDX-License-Identifier: Apache-2.0
import Chat
package import Jobs
import Postgres

/// A run that is done and changes nothing but its own job.
package struct CompletedRun: Sendable {
    /// The fence of the end.
    package let lease: Lease
    /// JSON, shown in `J.result`.
    package let result: [UInt8]?

    /// Only for a job without a serial key, whose end has neither events nor an effect elsewhere.
    package init(lease: Lease, result: [UInt8]?) {
        self.lease = lease
        self.result = result
    }
}

extension PostgresJobQueue {
    /// Ends many runs in one statement, each fenced by itself: a stale one changes nothing for the others. One that
    /// was to be cancelled ends so, and its end holds. Repeating after `unavailable` finds what was committed.
    ///
    /// - Returns: what became of each, in the order given.
    /// - Throws: `failed` also when one of the results is no text for the database: then none is written.
    package func complete(_ runs: [CompletedRun]) async throws(JobQueueError) -> [Settlement] {
        if runs.isEmpty { return [] }
        return try await mapping {
            let sorted = runs.sorted { $0.lease.job < $1.lease.job }
            let ended = SettleStatements.completeMany(
                jobs: sorted.map(\.lease.job), leases: sorted.map(\.lease.number),
                results: sorted.map { $0.result.map { String(decoding: $0, as: UTF8.self) } })
            let rows = try await pool.query(ended)
            if rows.count == runs.count { return [Settlement](repeating: .held(wake: []), count: runs.count) }
            var held: Set<JobID> = Set(try rows.decode(JobID.self))
            if held.count < runs.count {
                let missing = runs.map(\.lease).filter { !held.contains($0.job) }
                let before = SettleStatements.endedBefore(
                    jobs: missing.map(\.job), leases: missing.map(\.number))
                held.formUnion(try await pool.query(before).decode(JobID.self))
            }
            return runs.map { held.contains($0.lease.job) ? .held(wake: []) : .stale }
        }
    }
}
