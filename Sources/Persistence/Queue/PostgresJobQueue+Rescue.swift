// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

extension PostgresJobQueue {
    /// See ``JobQueue``. Any number of rescuers may run at once: each job goes to one of them.
    package func rescue(_ worker: WorkerID) async throws(JobQueueError) -> Rescue {
        try await mapping {
            let putBack = try await pool.query(RescueStatements.putBackAll(of: worker)).decode(Int16.self, JobID.self)
            var rescue = Rescue(
                putBackCount: putBack.count, endedCount: 0, wake: Set(putBack.compactMap { Lane(rawValue: $0.0) }),
                events: [])
            try await raiseSessions(of: putBack.map(\.1))
            let remaining = try await pool.query(RescueStatements.remaining(of: worker))
                .decode(JobID.self, Int64.self, Bool.self, UserID.self, SerialKey?.self)
            for (job, lease, isCancelled, owner, key) in remaining {
                let poison = JobFailure(.fatal, .poison, "the job's worker died \(RetryPolicy.poisonCrashes) times")
                try await endLost(
                    Lease(job: job, number: lease), owner: owner, key: key,
                    cause: isCancelled ? .cancelled : .failed(poison), into: &rescue)
            }
            try await pool.execute(LivenessStatements.forget(worker))
            return rescue
        }
    }

    /// See ``JobQueue``. Holds only while the lease is still this worker's.
    package func putBackUnknown(_ lease: Lease, worker: WorkerID) async throws(JobQueueError) -> Rescue {
        try await mapping {
            let putBack = try await pool.query(RescueStatements.putBackUnknown(lease, worker: worker))
                .decode(Int16.self, JobID.self)
            var rescue = Rescue(
                putBackCount: putBack.count, endedCount: 0, wake: Set(putBack.compactMap { Lane(rawValue: $0.0) }),
                events: [])
            try await raiseSessions(of: putBack.map(\.1))
            // What was cancelled is ended instead: no run of this worker will ever see the mark.
            let cancelled = try await pool.query(RescueStatements.cancelledUnknown(lease, worker: worker))
                .decode(UserID.self, SerialKey?.self)
            for (owner, key) in cancelled {
                try await endLost(lease, owner: owner, key: key, cause: .cancelled, into: &rescue)
            }
            return rescue
        }
    }

    /// Fails a run whose own end cannot be written, for its data are refused: the text is the fold of the log. A
    /// cancelled one is ended so; a lease that is gone is nothing to do.
    package func abandon(_ job: ClaimedJob, _ failure: JobFailure) async throws(JobQueueError) -> Rescue {
        try await mapping {
            var rescue = Rescue(putBackCount: 0, endedCount: 0, wake: [], events: [])
            try await endLost(
                job.lease, owner: job.userID, key: job.serialKey, cause: .failed(failure), into: &rescue)
            return rescue
        }
    }

    /// Open pages show whether a job runs.
    private func raiseSessions(of jobs: [JobID]) async throws {
        if jobs.isEmpty { return }
        let raised = try await pool.query(SessionStatements.raise(ofJobs: jobs)).decode(SessionID.self, Int64.self)
        for (session, version) in raised {
            onSessionChange(SessionChange(session: session, version: version, kind: .standing))
        }
    }

    /// Ends a run whose worker cannot: cancelled, poison, or past every deadline. Another rescuer may be first.
    func endLost(
        _ lease: Lease, owner: UserID, key: SerialKey?, cause: OutsideEnd.Cause, into rescue: inout Rescue
    ) async throws {
        let done = try await pool.withTransaction { transaction -> (wake: Set<Lane>, events: [StampedEvent])? in
            if let key { try await transaction.execute(SettleStatements.lockKey(key)) }
            guard
                let (attempt, _, startedAt, isCancelled) = try await transaction.query(
                    SettleStatements.takeLease(lease)
                )
                .decodeFirst(Int16.self, Int16.self, Timestamp.self, Bool.self)
            else { return nil }
            // Cancelled since it was looked at: that promise was made first.
            let end = OutsideEnd(
                lease: lease, attempt: attempt, startedAt: startedAt, owner: owner,
                cause: isCancelled ? .cancelled : cause, promotes: key)
            return try await self.end(end, in: transaction)
        }
        guard let done else { return }
        rescue.endedCount += 1
        rescue.wake.formUnion(done.wake)
        rescue.events += done.events
    }
}
