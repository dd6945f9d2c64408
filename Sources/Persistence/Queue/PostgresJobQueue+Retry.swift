// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

extension PostgresJobQueue {
    private static let longestHistory: Int32 = 1000

    /// Rolls the transaction back: what was found has changed meanwhile, or forbids it.
    private struct NotLinedUp: Error {
        /// nil: look again.
        let outcome: Retrial?
    }

    /// See ``JobQueue``. One transaction; what a reply's readers were told as its last is replaced by `queued`, and pages
    /// that show it are told after the commit.
    package func retry(_ job: JobID, owner: UserID?) async throws(JobQueueError) -> Retrial {
        try await mapping {
            while true {
                try Task.checkCancellation()
                do {
                    return try await pool.withTransaction { try await retry(job, owner: owner, in: $0) }
                } catch let error as NotLinedUp {
                    if let outcome = error.outcome { return outcome }
                }
            }
        }
    }

    private func retry(_ job: JobID, owner: UserID?, in transaction: PostgresTransaction) async throws -> Retrial {
        guard
            let (state, key, _) = try await transaction.query(RetryStatements.find(job, owner: owner))
                .decodeFirst(Int16?.self, SerialKey?.self, UserID.self)
        else { return .notFound }
        switch state.flatMap(JobState.init) {
        case .failed, .cancelled: break
        case .completed: return .completed
        default: return .alreadyUnfinished
        }
        var isHead = true
        if let key {
            let head = try await transaction.query(RetryStatements.lockOrHead(key, job)).decodeFirst(JobID.self)
            isHead = head == job
        }
        guard let uniqueKey = try await transaction.query(RetryStatements.reopen(job)).decodeFirst(String?.self) else {
            throw NotLinedUp(outcome: nil)
        }
        if uniqueKey != nil {
            let holder = try await transaction.query(RetryStatements.takeUniqueKey(job)).decodeFirst(JobID.self)
            if let holder, holder != job { throw NotLinedUp(outcome: .replaced(by: holder)) }
        }
        let queued = StreamEvent.queued(StreamQueued(reason: "retry"))
        let results = try await transaction.pipeline([
            RetryStatements.lineUp(job, isHead: isHead), RetryStatements.touchSession(ofReplyOf: job),
            RetryStatements.reopenReply(job), RetryStatements.reopenLog(job, with: queued, since: job.madeAt),
        ])
        if let (message, session) = try results[2].decodeFirst(MessageID.self, SessionID.self) {
            try tell((session, .messages([message])), raised: results[1], in: transaction)
        }
        let events = try results[3].decode(Int64.self, Int32.self, Timestamp.self).map { lease, sequence, written in
            let cursor = StreamCursor(lease: lease, sequence: sequence)
            return StampedEvent(job: job, event: LoggedEvent(queued, at: cursor), written: written)
        }
        return .linedUp(wake: Set(try results[0].decode(Int16.self).compactMap(Lane.init)), events: events)
    }

    /// See ``JobQueue``.
    package func errors(of job: JobID, owner: UserID) async throws(JobQueueError) -> [JobErrorRecord] {
        try await mapping {
            try await pool.query(SettleStatements.errors(of: job, owner: owner, limit: Self.longestHistory))
                .map { row in
                    let (lease, at, attempt, code, message) = try row.decode(
                        Int64.self, Timestamp.self, Int16.self, String.self, String.self)
                    return JobErrorRecord(lease: lease, at: at, attempt: attempt, code: code, message: message)
                }
        }
    }
}
