// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// What became of a job that somebody sent.
package enum JobSubmission: Sendable {
    /// It is stored. Wake the lanes.
    case accepted(wake: Set<Lane>)
    /// The same request was here and made this job.
    case repeated(JobID)
    /// The key stands for another request.
    case idempotencyMismatch
}

extension PostgresJobQueue {
    /// Stores a job and what its idempotency key stands for, together. An ambiguous commit is found out by repeating:
    /// the job's id is the witness. Lock order: idempotency key, then as every enqueue.
    package func submit(_ job: NewJob, key: IdempotencyKey?) async throws(PersistenceError) -> JobSubmission {
        var attempt = 0
        while true {
            do throws(PersistenceError) {
                return try await Database(pool).withTransaction { transaction in
                    if let key {
                        switch try await IdempotencyStore.claim(
                            key, job: job.id, outcome: "\(job.id)", in: transaction)
                        {
                        case .new: break
                        case .mismatch: return .idempotencyMismatch
                        case .existing(let earlier?, _) where earlier != job.id: return .repeated(earlier)
                        // A commit of ours whose answer was lost.
                        case .existing: return .accepted(wake: [job.lane])
                        }
                    }
                    let place = try await Self.enqueue(job, in: transaction, at: clock.now)
                    return .accepted(wake: place == .ready || place == nil ? [job.lane] : [])
                }
            } catch {
                attempt += 1
                guard error.mayHaveCommitted, attempt < 3 else { throw error }
            }
        }
    }
}
