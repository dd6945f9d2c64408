// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Postgres

/// What a stop has reached. Wake, abort and announce after the commit.
package struct StoppedTurns: Sendable {
    /// Jobs that were ended or told to end.
    package var count = 0
    /// Lanes with new work.
    package var wake: Set<Lane> = []
    /// Runs to abort.
    package var running: [Lease] = []
    /// Stored already, to be announced.
    package var events: [StampedEvent] = []

    /// Nothing yet.
    package init() {}
}

extension TurnStore {
    /// Stops one job; nil when there is no such job of this owner. A finished one counts 0.
    package func stop(_ job: JobID, owner: UserID) async throws(JobQueueError) -> StoppedTurns? {
        var stopped = StoppedTurns()
        switch try await queue.cancel(job, owner: owner) {
        case .notFound: return nil
        case .alreadyEnded: break
        case .ended(let wake, let events):
            stopped.count = 1
            stopped.wake = wake
            stopped.events = events
        case .requested(let lease):
            stopped.count = 1
            stopped.running = [lease]
        }
        return stopped
    }

    /// Stops everything of a session: first what waits, then what runs, so that nothing starts in between.
    package func stop(
        _ session: SessionID, owner: UserID
    ) async throws(PersistenceError) -> StoppedTurns {
        try await database.withTransaction { transaction in
            try await stop(session, owner: owner, except: nil, in: transaction)
        }
    }

    /// Within a transaction of the caller, for instance one that deletes the session.
    package func stop(
        _ session: SessionID, owner: UserID, except kept: JobID?, in transaction: PostgresTransaction
    ) async throws -> StoppedTurns {
        // The key's lock keeps the jobs of the line where they are, but for a claim of its head.
        try await transaction.execute(SettleStatements.lockKey(SerialKey(session)))
        let jobs = try await transaction.query(CancelStatements.unfinished(in: session, owner: owner)).decode(
            JobID.self)
        var stopped = StoppedTurns()
        for job in jobs where job != kept {
            var found: Cancellation?
            while found == nil {
                try Task.checkCancellation()
                found = try await queue.cancel(job, owner: owner, in: transaction)
            }
            switch found {
            case .ended(let wake, let events):
                stopped.count += 1
                stopped.wake.formUnion(wake)
                stopped.events += events
            case .requested(let lease):
                stopped.count += 1
                stopped.running.append(lease)
            case .alreadyEnded, .notFound, nil: break
            }
        }
        return stopped
    }
}
