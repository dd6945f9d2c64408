// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// An end that no run writes: the job was in line, or its worker is gone.
struct OutsideEnd: Sendable {
    enum Cause: Sendable {
        case cancelled
        case failed(JobFailure)
    }

    /// The last lease the job had.
    let lease: Lease
    let attempt: Int16
    /// When the run that is taken away began; nil when none was under way.
    let startedAt: Timestamp?
    let owner: UserID
    let cause: Cause
    /// The key whose next job may go, when this one was its head.
    let promotes: SerialKey?
}

extension PostgresJobQueue {
    /// Ends a job from outside, under a lease number of its own; its row is out of the live tables already.
    ///
    /// The partial text is the fold of the log. The new lease begins with a `restart` that keeps just that much:
    /// an append of the old lease that was on its way is cut off by it, so text and log stay equal.
    func end(
        _ end: OutsideEnd, in transaction: PostgresTransaction
    ) async throws -> (wake: Set<Lane>, events: [StampedEvent]) {
        let job = end.lease.job
        let number =
            try await transaction.query(CancelStatements.nextLease(after: end.lease.number))
            .decodeFirst(Int64.self) ?? end.lease.number + 1
        let reply = try await transaction.query(ReplyStatements.ofJob(job))
            .decodeFirst(MessageID.self, SessionID.self, UserID.self, String?.self, String?.self)
        var events: [StampedEvent] = []
        var statements: [SQL] = []
        var change: (session: SessionID, kind: SessionChange.Kind)?
        if let (message, session, owner, model, provider) = reply {
            let fold = try await self.fold(job, in: transaction)
            let usage = try await usage(of: job, in: transaction)
            let stream = Self.lastEvents(of: end, fold: fold, message: message, usage: usage)
            events = stamp(stream, job, number)
            let isCancelled = if case .cancelled = end.cause { true } else { false }
            let failure: StreamFailure? =
                if case .failed(let failure) = end.cause { StreamFailure(code: failure.code) } else { nil }
            let ended = ReplyEnd(
                messageID: message, sessionID: session, owner: owner, content: fold.text,
                status: isCancelled || !fold.text.isEmpty ? .incomplete : .failed,
                finishReason: isCancelled ? .cancelled : nil, failure: failure, usage: usage, model: model ?? "",
                provider: provider ?? "", call: nil)
            statements += Self.statements(of: .reply(ended))
            change = Self.change(of: .reply(ended))
            statements.append(EventStatements.appendUnfenced(events, of: job))
        }
        statements.append(Self.record(end, lease: number))
        statements.append(Self.endJob(end, lease: number))
        if let key = end.promotes { statements.append(SettleStatements.promote(key)) }
        let results = try await transaction.pipeline(statements)
        if let change { try tell(change, raised: results.first, in: transaction) }
        let lanes = end.promotes == nil ? [] : try results.last?.decode(Int16.self) ?? []
        return (Set(lanes.compactMap(Lane.init)), events)
    }

    /// A line of the history for an end that no run can tell of.
    private static func record(_ end: OutsideEnd, lease: Int64) -> SQL {
        let cause: JobFailure =
            switch end.cause {
            case .cancelled: JobFailure(.fatal, .cancelled, "cancelled while no run was there to end it")
            case .failed(let failure): failure
            }
        return record(cause, Lease(job: end.lease.job, number: lease), end.attempt)
    }

    private static func endJob(_ end: OutsideEnd, lease: Int64) -> SQL {
        switch end.cause {
        case .cancelled:
            SettleStatements.endJob(
                end.lease.job, lease: lease, state: .cancelled, attempt: end.attempt, startedAt: end.startedAt,
                result: nil,
                errorCode: nil, errorMessage: nil)
        case .failed(let failure):
            SettleStatements.endJob(
                end.lease.job, lease: lease, state: .failed, attempt: end.attempt, startedAt: end.startedAt,
                result: nil,
                errorCode: failure.code.rawValue, errorMessage: failure.code.message)
        }
    }

    private static func lastEvents(
        of end: OutsideEnd, fold: ReplyFold, message: MessageID, usage: Usage
    ) -> [StreamEvent] {
        var events: [StreamEvent] = []
        if end.lease.number > 0 {
            events.append(
                .restart(
                    StreamRestart(
                        attempt: max(1, Int(end.attempt)), reason: "ended", keptBytes: fold.contentLengthBytes)))
        }
        switch end.cause {
        case .cancelled:
            events.append(.stop(.cancelled))
            events.append(.usage(usage))
            events.append(.end)
            events.append(
                .complete(
                    StreamCompletion(
                        messageID: message, finishReason: .cancelled, usage: usage,
                        contentLengthBytes: fold.contentLengthBytes)))
        case .failed(let failure): events.append(.error(StreamFailure(code: failure.code)))
        }
        return events
    }

    private func stamp(_ events: [StreamEvent], _ job: JobID, _ lease: Int64) -> [StampedEvent] {
        let now = clock.now
        return events.enumerated().map { index, event in
            StampedEvent(
                job: job, event: LoggedEvent(event, at: StreamCursor(lease: lease, sequence: Int32(index) + 1)),
                written: now)
        }
    }

    /// The fold of what the log holds of a job.
    func fold(_ job: JobID, in transaction: PostgresTransaction) async throws -> ReplyFold {
        var fold = ReplyFold()
        var cursor = StreamCursor.beginning
        while true {
            let rows = try await transaction.query(
                EventStatements.read(job, after: cursor, since: job.madeAt, limit: 1000))
            for row in rows {
                let logged = try EventStatements.decode(row)
                cursor = logged.cursor
                _ = fold.apply(try StreamEvent(json: logged.data), at: cursor)
            }
            if rows.count < 1000 { return fold }
        }
    }

    private func usage(of job: JobID, in transaction: PostgresTransaction) async throws -> Usage {
        let counted = try await transaction.query(ReplyStatements.usageOfJob(job))
            .decodeFirst(Int32.self, Int32.self, Int32.self)
        return Usage(
            promptTokens: Int(counted?.0 ?? 0), completionTokens: Int(counted?.1 ?? 0),
            contextLimit: Int(counted?.2 ?? 0), isEstimated: true)
    }
}
