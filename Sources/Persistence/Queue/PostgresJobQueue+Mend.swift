// SPDX-License-Identifier: Apache-2.0
import Chat
package import Jobs
import Postgres

extension PostgresJobQueue {
    /// How long after its deadline a run may still end by itself.
    private static let overdueGrace: Duration = .seconds(30)
    private static let batch: Int32 = 100

    /// What a round of mending found. Both counts are 0 while all is well.
    package struct Mended: Sendable {
        /// Keys that had lost their head.
        package var promotedKeys = 0
        /// Runs ended past their deadline.
        package var rescue = Rescue(putBackCount: 0, endedCount: 0, wake: [], events: [])
    }

    /// Promotes the followers of keys without a head, ends leases past every deadline, and lines up what was moved aside
    /// for a pause that has ended.
    ///
    /// - Throws: as every call of the queue; repeating is harmless.
    package func mend() async throws(JobQueueError) -> Mended {
        try await mapping {
            var mended = Mended()
            for key in try await pool.query(RescueStatements.orphanedKeys(limit: Self.batch)).decode(SerialKey.self) {
                let lanes = try await pool.withTransaction { transaction -> [Int16]? in
                    try await transaction.execute(SettleStatements.lockKey(key))
                    let isOrphaned = try await transaction.query(RescueStatements.isOrphaned(key)).decodeFirst(
                        Bool.self)
                    guard isOrphaned == true else { return nil }
                    return try await transaction.query(SettleStatements.promote(key)).decode(Int16.self)
                }
                guard let lanes else { continue }
                mended.promotedKeys += 1
                mended.rescue.wake.formUnion(lanes.compactMap(Lane.init))
            }
            let overdue = try await pool.query(
                RescueStatements.overdue(
                    graceMilliseconds: Self.overdueGrace.wholeMilliseconds, limit: Self.batch)
            ).decode(JobID.self, Int64.self, Bool.self, UserID.self, SerialKey?.self)
            for (job, lease, isCancelled, owner, key) in overdue {
                let late = JobFailure(.fatal, .deadlineExceeded, "the run did not end by its deadline")
                try await endLost(
                    Lease(job: job, number: lease), owner: owner, key: key,
                    cause: isCancelled ? .cancelled : .failed(late), into: &mended.rescue)
            }
            mended.rescue.wake.formUnion(try await lineUpUnpaused())
            return mended
        }
    }
}
