// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Turns of conversations: submitted in one transaction, stopped wherever they are.
package struct TurnStore: Sendable {
    private struct Refused: Error {
        let submission: TurnSubmission
    }

    let database: Database
    let queue: PostgresJobQueue
    private let clock: DatabaseClock
    private let gates: ProviderGates?

    /// - Parameters:
    ///   - database: where sessions and messages are.
    ///   - queue: on the same database, because a turn and its job are one transaction.
    ///   - clock: stamps the events that a submission writes.
    ///   - gates: places in line of limited providers; `nil` puts every job into the open line.
    package init(
        database: Database, queue: PostgresJobQueue, clock: DatabaseClock, gates: ProviderGates? = nil
    ) {
        self.database = database
        self.queue = queue
        self.clock = clock
        self.gates = gates
    }

    /// Stores the turn, the placeholder of its reply, the job, the first events of its stream and, for a first
    /// turn, the title's job: all or nothing.
    ///
    /// Workers may begin before the disk has it, because a person waits for both: `whenVisible` is told then, perhaps
    /// again. What is returned is durable.
    ///
    /// Lock order: idempotency key, serial key, session. An ambiguous commit, and one that a crash has taken back, is
    /// found out by repeating: the job's id is the witness.
    package func submit(
        _ turn: NewTurn, whenVisible: (TurnSubmission) -> Void = { _ in }
    ) async throws(PersistenceError) -> TurnSubmission {
        var failures = 0
        while true {
            do throws(PersistenceError) {
                let submission = try await submitOnce(turn, isRepeated: failures > 0)
                whenVisible(submission)
                guard let job = submission.turn?.jobID else { return submission }
                if try await isDurable(job) { return submission }
                // Found twice without its job: that is not a crash, its retention is shorter than the key's.
                if case .repeated = submission, failures > 0 { return submission }
                failures += 1
            } catch {
                // What failed before any commit needs no repetition.
                guard error.mayHaveCommitted || failures > 0 && error.isRetryable else { throw error }
                failures += 1
            }
            if failures == Self.maximumFailures {
                throw PersistenceError(.unavailable, detail: "whether the turn is stored cannot be found out")
            }
        }
    }

    private static let maximumFailures = 3

    private func isDurable(_ job: JobID) async throws(PersistenceError) -> Bool {
        do throws(PostgresError) {
            let isThere = try await database.pool.query(DurabilityStatements.flush(with: job)).decodeFirst(Bool.self)
            return isThere ?? false
        } catch {
            // Of no interest is why: the turn is looked for again.
            if error.code == .cancelled { throw PersistenceError(error) }
            return false
        }
    }

    private func submitOnce(_ turn: NewTurn, isRepeated: Bool) async throws(PersistenceError) -> TurnSubmission {
        let result: Result<TurnSubmission, PersistenceError>
        do {
            let submission = try await database.pool.withTransaction { transaction in
                try await store(turn, isRepeated: isRepeated, in: transaction)
            }
            result = .success(submission)
        } catch let refused as Refused {
            result = .success(refused.submission)
        } catch {
            result = .failure(PersistenceError(error))
        }
        return try result.get()
    }

    private func store(
        _ turn: NewTurn, isRepeated: Bool, in transaction: PostgresTransaction
    ) async throws -> TurnSubmission {
        let accepted = AcceptedTurn(
            jobID: turn.jobID, messageID: turn.messageID, userMessageID: turn.userMessageID, sessionID: turn.sessionID)
        var opening = [DurabilityStatements.commitAsynchronously]
        if let key = turn.idempotencyKey {
            switch try await IdempotencyStore.claim(
                key, job: turn.jobID, outcome: accepted.stored, in: transaction)
            {
            case .new: break
            case .mismatch: return .idempotencyMismatch
            case .existing(_, let outcome):
                guard let earlier = AcceptedTurn(stored: outcome) else {
                    throw PersistenceError(.internal, detail: "an idempotency outcome is no turn")
                }
                return .repeated(earlier)
            }
        }
        let gates = try await gates(of: turn, in: transaction)
        // A person waits for the first word: what need not wait for an answer travels together.
        let job = job(of: turn, gate: gates.reply)
        opening += PostgresJobQueue.enqueueing(job, at: clock.now)
        opening.append(TurnStatements.lockSession(turn.sessionID, owner: turn.userID))
        let answers = try await transaction.pipeline(opening)
        guard let enqueued = answers.dropFirst().first, let session = answers.last,
            let place = try PostgresJobQueue.placing(of: job, in: enqueued).place
        else {
            // The id is known: a commit of ours whose answer was lost.
            throw Refused(
                submission: isRepeated
                    ? .accepted(accepted, wake: [.chat, .title], interrupted: [], events: []) : .repeated(accepted))
        }
        guard let (leaf, count, source) = try session.decodeFirst(MessageID?.self, Int32.self, String.self) else {
            throw Refused(submission: .sessionNotFound)
        }
        if place == .behind && turn.onBusy == .reject { throw Refused(submission: .busy) }
        let parent = try await self.parent(of: turn, leaf: leaf, in: transaction)

        var wake: Set<Lane> = place == .ready ? [.chat] : []
        var interrupted: [Lease] = []
        var events: [StampedEvent] = []
        var statements = [
            TurnStatements.insert(turn, parent: parent, parts: StoredJSON.text(turn.parts)),
            TurnStatements.advance(turn.sessionID, owner: turn.userID, leaf: turn.messageID),
        ]
        if place == .behind {
            if turn.onBusy == .interrupt {
                let stopped = try await stop(turn.sessionID, owner: turn.userID, except: turn.jobID, in: transaction)
                wake.formUnion(stopped.wake)
                (interrupted, events) = (stopped.running, stopped.events)
            }
            statements.append(appendQueued(turn.jobID))
        }
        if turn.wantsTitle && count == 0 && source == TitleSource.default.rawValue {
            var title = NewJob(
                id: turn.titleJobID, kind: .title, lane: .title, userID: turn.userID,
                payload: TitlePayload(sessionID: turn.sessionID, userMessageID: turn.userMessageID).json)
            title.gate = gates.title
            statements += PostgresJobQueue.enqueueing(title, at: clock.now)
            wake.insert(.title)
        }
        let results = try await transaction.pipeline(statements)
        // The second of them is the session's.
        try queue.tell(
            (turn.sessionID, .messages([turn.userMessageID, turn.messageID])), raised: results[1], in: transaction)
        return .accepted(accepted, wake: wake, interrupted: interrupted, events: events)
    }

    /// The places in line of the reply and of a title. Costs nothing while no provider has one of its own.
    private func gates(
        of turn: NewTurn, in transaction: PostgresTransaction
    ) async throws -> (reply: Int16, title: Int16) {
        guard let gates, !gates.isEmpty else { return (0, 0) }
        var model = turn.modelID
        if model == nil {
            model =
                try await transaction.query(
                    ProviderStatements.sessionModel(turn.sessionID, owner: turn.userID)
                ).decodeFirst(ModelID?.self) ?? nil
        }
        let reply = gates.gate(of: model ?? turn.defaultModelID)
        return (reply, turn.titleModelID.map { gates.gate(of: $0) } ?? reply)
    }

    private func job(of turn: NewTurn, gate: Int16) -> NewJob {
        var job = NewJob(
            id: turn.jobID, kind: .chat, lane: .chat, userID: turn.userID, serialKey: SerialKey(turn.sessionID),
            payload: ChatPayload(
                sessionID: turn.sessionID, messageID: turn.messageID, userMessageID: turn.userMessageID,
                modelID: turn.modelID, parameters: turn.parameters
            ).json)
        job.gate = gate
        job.runLimit = turn.runLimit
        job.openingEvents = [
            .start(
                StreamStart(
                    messageID: turn.messageID, userMessageID: turn.userMessageID, sessionID: turn.sessionID,
                    jobID: turn.jobID))
        ]
        return job
    }

    private func parent(
        of turn: NewTurn, leaf: MessageID?, in transaction: PostgresTransaction
    ) async throws -> MessageID? {
        guard let wanted = turn.parentMessageID else { return leaf }
        let exists = try await transaction.query(
            TurnStatements.messageExists(wanted, session: turn.sessionID, owner: turn.userID)
        ).decodeFirst(Bool.self)
        if exists != true { throw Refused(submission: .parentNotFound) }
        return wanted
    }

    /// `queued` with cursor 0.2: written with the job, because no worker will say it.
    private func appendQueued(_ job: JobID) -> SQL {
        let event = StampedEvent(
            job: job,
            event: LoggedEvent(
                .queued(StreamQueued(reason: "session_busy")), at: StreamCursor(lease: 0, sequence: 2)),
            written: clock.now)
        return EventStatements.appendUnfenced([event], of: job)
    }
}

extension AcceptedTurn {
    /// The outcome that an idempotency key keeps.
    var stored: String { "\(jobID) \(messageID) \(userMessageID) \(sessionID)" }

    init?(stored: String) {
        let words = stored.split(separator: " ").map(String.init)
        guard words.count == 4, let job = JobID(words[0]), let message = MessageID(words[1]),
            let user = MessageID(words[2]), let session = SessionID(words[3])
        else { return nil }
        self.init(jobID: job, messageID: message, userMessageID: user, sessionID: session)
    }
}
