// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// What became of a job that somebody sent.
package enum JobSubmission: Sendable {
    /// It is stored. Wake the lanes, which nobody has told of it yet.
    case accepted(wake: Set<Lane>)
    /// The same request was here and made this job.
    case repeated(JobID)
    /// The key stands for another request.
    case idempotencyMismatch
}

extension PostgresJobQueue {
    /// Stores a job and what its idempotency key stands for, together. An ambiguous commit, and one that a crash has
    /// taken back, is found out by repeating: the job's id is the witness. Lock order: idempotency key, then as every
    /// enqueue.
    ///
    /// What is returned is durable. Without a key it is one round trip; and when no other is submitted at the same time,
    /// workers are told with the commit and may begin before the disk has it. Among others that would cost a second
    /// transaction each, and a lock of the whole database.
    package func submit(_ job: NewJob, key: IdempotencyKey?) async throws(PersistenceError) -> JobSubmission {
        let isAlone = submissions.begin()
        defer { submissions.end() }
        var notifies = true
        var failure = PersistenceError(.unavailable, detail: "whether the job is stored cannot be found out")
        for _ in 0..<Self.attempts {
            do throws(PersistenceError) {
                if let key { return try await submit(job, under: key) }
                if !isAlone { return try await submitAmongOthers(job) }
                if let submission = try await submitAlone(job, notifies: notifies) { return submission }
            } catch {
                guard error.mayHaveCommitted || error.hasNoRoomForNotifications else { throw error }
                if error.hasNoRoomForNotifications { notifies = false }
                failure = error
            }
        }
        throw failure
    }

    private func submit(_ job: NewJob, under key: IdempotencyKey) async throws(PersistenceError) -> JobSubmission {
        try await Database(pool).withTransaction { transaction in
            switch try await IdempotencyStore.claim(key, job: job.id, outcome: "\(job.id)", in: transaction) {
            case .new: break
            case .mismatch: return .idempotencyMismatch
            case .existing(let earlier?, _) where earlier != job.id: return .repeated(earlier)
            // A commit of ours whose answer was lost.
            case .existing: return .accepted(wake: [job.lane])
            }
            let place = try await Self.enqueue(job, in: transaction)
            return .accepted(wake: place == .ready || place == nil ? [job.lane] : [])
        }
    }

    private func submitAmongOthers(_ job: NewJob) async throws(PersistenceError) -> JobSubmission {
        do {
            let rows = try await pool.query(EnqueueStatements.enqueue(job))
            let place = try Self.placing(of: job, in: rows).place
            return .accepted(wake: place == .ready || place == nil ? [job.lane] : [])
        } catch { throw PersistenceError(error) }
    }

    /// - Returns: nil when it is not known to be durable; a repetition finds that out.
    private func submitAlone(
        _ job: NewJob, notifies: Bool
    ) async throws(PersistenceError) -> JobSubmission? {
        do throws(PostgresError) {
            let (rows, flush) = try await pool.query(
                EnqueueStatements.submit(job, notifies: notifies), then: DurabilityStatements.flush(with: job.id),
                repeats: Self.repeats)
            guard case .success(let answer) = flush, try answer.decodeFirst(Bool.self) ?? false else { return nil }
            switch try rows.decodeFirst(Int16?.self, String?.self)?.0.flatMap(Place.init) {
            case .ready where notifies: return .accepted(wake: [])
            // One that was there was perhaps stored by a statement that told nobody.
            case .ready, nil: return .accepted(wake: [job.lane])
            case .scheduled, .behind: return .accepted(wake: [])
            }
        } catch { throw PersistenceError(error) }
    }

    private static let attempts = 3
    /// Of a statement that another transaction stood in the way of.
    private static let repeats = 3
}
