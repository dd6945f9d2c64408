// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Postgres

extension PostgresJobQueue {
    /// See ``JobQueue``. One transaction a look; lock order: serial key, then the job's row.
    package func cancel(_ job: JobID, owner: UserID) async throws(JobQueueError) -> Cancellation {
        try await mapping {
            while true {
                let found = try await pool.withTransaction { try await cancel(job, owner: owner, in: $0) }
                if let found { return found }
                // A claim moved the job from one table to the next between two probes: look again.
                try Task.checkCancellation()
            }
        }
    }

    /// One round of looking for the job; nil when it was between two tables.
    package func cancel(
        _ job: JobID, owner: UserID, in transaction: PostgresTransaction
    ) async throws -> Cancellation? {
        guard
            let (state, key, _) = try await transaction.query(CancelStatements.find(job, owner: owner))
                .decodeFirst(Int16?.self, SerialKey?.self, Int16.self)
        else { return .notFound }
        if state != nil { return .alreadyEnded }
        if let key { try await transaction.execute(SettleStatements.lockKey(key)) }
        var probes = [CancelStatements.fromReady(job), CancelStatements.fromDeferred(job)]
        if let key { probes.append(CancelStatements.fromWaiting(job, key: key)) }
        // One pipeline, but separate statements: each sees what the one before could miss.
        for (index, rows) in try await transaction.pipeline(probes).enumerated() {
            guard let (lease, attempt) = try rows.decodeFirst(Int64.self, Int16.self) else { continue }
            let wasHead = index < 2
            let end = OutsideEnd(
                lease: Lease(job: job, number: lease), attempt: attempt, startedAt: nil, owner: owner,
                cause: .cancelled,
                promotes: wasHead ? key : nil)
            let (wake, events) = try await self.end(end, in: transaction)
            return .ended(wake: wake, events: events)
        }
        if let lease = try await transaction.query(CancelStatements.markRunning(job)).decodeFirst(Int64.self) {
            return .requested(Lease(job: job, number: lease))
        }
        let again = try await transaction.query(CancelStatements.find(job, owner: owner))
            .decodeFirst(Int16?.self, SerialKey?.self, Int16.self)
        return again?.0 != nil ? .alreadyEnded : nil
    }
}
