// SPDX-License-Identifier: Apache-2.0
import Chat
package import Jobs
import Postgres

extension PostgresJobQueue {
    /// Rolls the transaction back: the end has to be another one.
    private struct CancelRequested: Error {}

    /// See ``JobQueue``.
    package func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent]
    ) async throws(JobQueueError) -> Settlement {
        try await settle(job, end, events: events, effect: .none)
    }

    /// As ``settle(_:_:events:)``, with what the end changes outside the queue.
    package func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect
    ) async throws(JobQueueError) -> Settlement {
        try await mapping {
            do {
                return try await pool.withTransaction { transaction in
                    try await settle(job, end, events: events, effect: effect, in: transaction)
                }
            } catch is CancelRequested {
                return .cancelRequested
            }
        }
    }

    private func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect,
        in transaction: PostgresTransaction
    ) async throws -> Settlement {
        let lease = job.lease
        let lock = job.serialKey.map { [SettleStatements.lockKey($0)] } ?? []
        let taken = try await transaction.pipeline(lock + [SettleStatements.takeLease(lease)]).last
        guard
            let (attempt, crashes, startedAt, isCancelled) = try taken?.decodeFirst(
                Int16.self, Int16.self, Timestamp.self, Bool.self)
        else {
            // The answer was lost and with it the lanes to wake: a follower would be found only by polling.
            let follower: Set<Lane> = job.serialKey == nil ? [] : [job.lane]
            return try await wasOurs(lease, in: transaction) ? .held(wake: follower) : .stale
        }
        if isCancelled && end.state != .cancelled { throw CancelRequested() }
        try await requireEarlierEvents(than: events, of: lease, in: transaction)

        // Whatever raises the session's version is first.
        var statements: [SQL] = []
        let change = Self.change(of: end, effect, job)
        if case (_, .standing)? = change, let key = job.serialKey {
            statements.append(SessionStatements.raise(SessionID(high: key.high, low: key.low), owner: job.userID))
        }
        statements += Self.statements(of: effect)
        if !events.isEmpty { statements.append(EventStatements.appendUnfenced(events, of: lease.job)) }
        switch end {
        case .completed(let result):
            statements.append(
                SettleStatements.endJob(
                    lease.job, lease: lease.number, state: .completed, attempt: attempt, startedAt: startedAt,
                    result: result.map { String(decoding: $0, as: UTF8.self) }, errorCode: nil, errorMessage: nil))
        case .failed(let failure):
            statements.append(Self.record(failure, lease, attempt))
            statements.append(
                SettleStatements.endJob(
                    lease.job, lease: lease.number, state: .failed, attempt: attempt, startedAt: startedAt,
                    result: nil, errorCode: failure.code.rawValue, errorMessage: failure.code.message))
        case .cancelled:
            statements.append(
                SettleStatements.endJob(
                    lease.job, lease: lease.number, state: .cancelled, attempt: attempt, startedAt: startedAt,
                    result: nil, errorCode: nil, errorMessage: nil))
        case .again(let delay, let attemptSpent, let hadOutput, let failure):
            if failure.class != .waiting {
                statements.append(Self.record(failure, lease, attempt))
                statements.append(SettleStatements.keepStart(lease.job, startedAt: startedAt))
            }
            statements.append(
                SettleStatements.deferJob(
                    lease, attempt: attemptSpent ? attempt : attempt - 1, crashes: crashes, hadOutput: hadOutput,
                    delayMilliseconds: delay.wholeMilliseconds, reason: failure.code.rawValue))
        case .handedOver(let hadOutput):
            statements.append(SettleStatements.keepStart(lease.job, startedAt: startedAt))
            statements.append(
                SettleStatements.putBack(lease, attempt: attempt - 1, crashes: crashes, hadOutput: hadOutput))
        }
        if end.state.isEnd, let key = job.serialKey { statements.append(SettleStatements.promote(key)) }
        let results = try await transaction.pipeline(statements)
        if let change { try tell(change, raised: results.first, in: transaction) }
        // Only a hand-over and a promotion bring work into the line, and each is the last statement of its end.
        let bringsWork = end.state == .ready || (end.state.isEnd && job.serialKey != nil)
        let lanes = bringsWork ? try results.last?.decode(Int16.self) ?? [] : []
        return .held(wake: Set(lanes.compactMap(Lane.init)))
    }

    /// The events of an end continue those that are stored. A database crash takes acknowledged ones back, and the
    /// publisher may not have noticed yet: then nothing is written, and the caller repeats with all of them.
    private func requireEarlierEvents(
        than events: [StampedEvent], of lease: Lease, in transaction: PostgresTransaction
    ) async throws {
        guard let first = events.first?.event.cursor.sequence, first > 1 else { return }
        let stored = try await transaction.query(
            EventStatements.lastSequences(jobs: [lease.job], leases: [lease.number])
        ).decodeFirst(JobID.self, Int64.self, Int32.self)
        if stored?.2 ?? 0 < first - 1 { throw JobQueueError.unavailable }
    }

    /// Whether an end whose answer was lost had been committed after all.
    private func wasOurs(_ lease: Lease, in transaction: PostgresTransaction) async throws -> Bool {
        let ended = try await transaction.query(SettleStatements.endedBy(lease.job)).decodeFirst(
            Int16?.self, Int64?.self)
        return ended?.1 == lease.number
    }

    static func record(_ failure: JobFailure, _ lease: Lease, _ attempt: Int16) -> SQL {
        SettleStatements.recordError(
            lease, attempt: attempt, code: failure.code.rawValue, message: String(failure.message.prefix(2000)))
    }

    /// The session that an end changes, and how.
    private static func change(
        of end: RunEnd, _ effect: RunEffect, _ job: ClaimedJob
    ) -> (session: SessionID, kind: SessionChange.Kind)? {
        if let change = change(of: effect) { return change }
        // The job stays the session's first and stands elsewhere.
        guard !end.state.isEnd, let key = job.serialKey else { return nil }
        return (SessionID(high: key.high, low: key.low), .standing)
    }

    /// As ``statements(of:)``, whose first statement raises the version.
    static func change(of effect: RunEffect) -> (session: SessionID, kind: SessionChange.Kind)? {
        switch effect {
        case .none, .usage: nil
        case .title(let session, _, let title): (session, .title(title))
        case .reply(let reply): (reply.sessionID, .messages([reply.messageID]))
        }
    }

    /// Tells of a change after the commit; of none when the session was not there to be raised.
    func tell(
        _ change: (session: SessionID, kind: SessionChange.Kind), raised rows: PostgresRows?,
        in transaction: PostgresTransaction
    ) throws(PostgresError) {
        guard let version = try rows?.decodeFirst(Int64.self) else { return }
        let change = SessionChange(session: change.session, version: version, kind: change.kind)
        transaction.afterCommit { [onSessionChange] in onSessionChange(change) }
    }

    /// The session's row first: everybody locks it before those of its messages.
    static func statements(of effect: RunEffect) -> [SQL] {
        switch effect {
        case .none: []
        case .usage(let call, let usage): [UsageStatements.close(call, usage)]
        case .title(let session, let owner, let title):
            [ReplyStatements.setTitle(session, owner: owner, title: title)]
        case .reply(let reply):
            [ReplyStatements.touchSession(reply.sessionID, owner: reply.owner), ReplyStatements.end(reply)]
                + (reply.call.map { [UsageStatements.close($0, reply.usage)] } ?? [])
        }
    }
}
