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
    /// turn, the title's job: all or nothing. One round trip, unless the turn has an idempotency key or interrupts.
    ///
    /// Workers are told with the commit and may begin before the disk has it, because a person waits for both;
    /// `whenVisible` may be told then, perhaps again. What is returned is durable.
    ///
    /// Lock order: idempotency key, serial key, session. An ambiguous commit, and one that a crash has taken back, is
    /// found out by repeating: the job's id is the witness.
    package func submit(
        _ turn: NewTurn, whenVisible: (TurnSubmission) -> Void = { _ in }
    ) async throws(PersistenceError) -> TurnSubmission {
        var failures = 0
        var notifies = true
        while true {
            do throws(PersistenceError) {
                let attempt = try await submitOnce(turn, isRepeated: failures > 0, notifies: notifies)
                let submission = attempt.submission
                whenVisible(submission)
                guard let job = submission.turn?.jobID else { return submission }
                if attempt.isDurable { return submission }
                if try await isDurable(job) { return submission }
                // Found twice without its job: that is not a crash, its retention is shorter than the key's.
                if case .repeated = submission, failures > 0 { return submission }
                failures += 1
            } catch {
                if error.hasNoRoomForNotifications && notifies {
                    notifies = false
                    continue
                }
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
    /// Of a transaction that another one stood in the way of.
    private static let repeats = 3

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

    private func submitOnce(
        _ turn: NewTurn, isRepeated: Bool, notifies: Bool
    ) async throws(PersistenceError) -> Attempt {
        let result: Result<Attempt, PersistenceError>
        do {
            let opening = opening(of: turn)
            let statement = try await statement(storing: turn, opening: opening, notifies: notifies)
            if turn.idempotencyKey == nil && turn.onBusy != .interrupt {
                let (rows, durable) = try await database.pool.query(
                    statement, then: DurabilityStatements.flush(with: turn.jobID), repeats: Self.repeats)
                let submission = try await outcome(of: turn, opening, try Self.read(rows), isRepeated: isRepeated)
                result = .success(Attempt(submission: submission, isDurable: Self.isTrue(durable)))
            } else {
                let submission = try await database.pool.withTransaction(repeats: Self.repeats) { transaction in
                    if let earlier = try await earlier(turn, in: transaction) { return earlier }
                    let stored = try Self.read(try await transaction.query(statement))
                    return try await outcome(of: turn, opening, stored, isRepeated: isRepeated, in: transaction)
                }
                result = .success(Attempt(submission: submission, isDurable: false))
            }
        } catch let refused as Refused {
            result = .success(Attempt(submission: refused.submission, isDurable: false))
        } catch {
            result = .failure(PersistenceError(error))
        }
        return try result.get()
    }

    /// What the turn's idempotency key stands for already; nil when the turn is to be stored.
    private func earlier(_ turn: NewTurn, in transaction: PostgresTransaction) async throws -> TurnSubmission? {
        guard let key = turn.idempotencyKey else { return nil }
        let claim = try await IdempotencyStore.claim(
            key, job: turn.jobID, outcome: turn.accepted.stored, in: transaction)
        switch claim {
        case .new: return nil
        case .mismatch: return .idempotencyMismatch
        case .existing(_, let outcome):
            guard let earlier = AcceptedTurn(stored: outcome) else {
                throw PersistenceError(.internal, detail: "an idempotency outcome is no turn")
            }
            return .repeated(earlier)
        }
    }

    private struct Attempt {
        let submission: TurnSubmission
        /// Known to be; false says nothing.
        let isDurable: Bool
    }

    private static func isTrue(_ answer: Result<PostgresRows, PostgresError>) -> Bool {
        do throws(PostgresError) { return try answer.get().decodeFirst(Bool.self) ?? false } catch { return false }
    }

    private struct Stored {
        let isBehind: Bool
        let refusal: TurnStatements.Refusal?
        let version: Int64?
    }

    private static func read(_ rows: PostgresRows) throws -> Stored {
        guard let (place, refusal, version) = try rows.decodeFirst(Int16?.self, String?.self, Int64?.self) else {
            throw PersistenceError(.internal, detail: "a submission was not answered")
        }
        return Stored(
            isBehind: place.flatMap(PostgresJobQueue.Place.init) == .behind,
            refusal: refusal.flatMap(TurnStatements.Refusal.init), version: version)
    }

    /// The transaction is that of a turn that takes back what it has done when it is refused, or interrupts others.
    private func outcome(
        of turn: NewTurn, _ opening: [StampedEvent], _ stored: Stored, isRepeated: Bool,
        in transaction: PostgresTransaction? = nil
    ) async throws -> TurnSubmission {
        switch stored.refusal {
        // The id is known: a commit of ours whose answer was lost.
        case .repeated where isRepeated:
            throw Refused(
                submission: .accepted(turn.accepted, opening: [], stopped: StoppedTurns()))
        case .repeated: throw Refused(submission: .repeated(turn.accepted))
        case .session: throw Refused(submission: .sessionNotFound)
        case .parent: throw Refused(submission: .parentNotFound)
        case .busy: throw Refused(submission: .busy)
        case nil: break
        }
        // In the order in which the versions were raised.
        if let version = stored.version {
            let change = SessionChange(
                session: turn.sessionID, version: version, kind: .messages([turn.userMessageID, turn.messageID]))
            if let transaction {
                transaction.afterCommit { [queue] in queue.onSessionChange(change) }
            } else {
                queue.onSessionChange(change)
            }
        }
        var stopped = StoppedTurns()
        if stored.isBehind, turn.onBusy == .interrupt, let transaction {
            stopped = try await stop(turn.sessionID, owner: turn.userID, except: turn.jobID, in: transaction)
        }
        let shown = stored.isBehind ? opening : opening.dropLast()
        return .accepted(turn.accepted, opening: shown.map(\.event), stopped: stopped)
    }

    /// What the stream begins with. Behind another, it says so: no worker will.
    private func opening(of turn: NewTurn) -> [StampedEvent] {
        let start = StreamStart(
            messageID: turn.messageID, userMessageID: turn.userMessageID, sessionID: turn.sessionID,
            jobID: turn.jobID)
        return PostgresJobQueue.opening(
            [.start(start), .queued(StreamQueued(reason: "session_busy"))], of: turn.jobID, at: clock.now)
    }

    private func statement(
        storing turn: NewTurn, opening: [StampedEvent], notifies: Bool
    ) async throws -> SQL {
        let gates = try await gates(of: turn)
        var reply = NewJob(
            id: turn.jobID, kind: .chat, lane: .chat, userID: turn.userID, serialKey: SerialKey(turn.sessionID),
            payload: ChatPayload(
                sessionID: turn.sessionID, messageID: turn.messageID, userMessageID: turn.userMessageID,
                modelID: turn.modelID, parameters: turn.parameters
            ).json)
        reply.gate = gates.reply
        reply.runLimit = turn.runLimit
        var title: NewJob?
        if turn.wantsTitle {
            title = NewJob(
                id: turn.titleJobID, kind: .title, lane: .title, userID: turn.userID,
                payload: TitlePayload(sessionID: turn.sessionID, userMessageID: turn.userMessageID).json)
            title?.gate = gates.title
        }
        return TurnStatements.submit(turn, reply: reply, title: title, events: opening, notifies: notifies)
    }

    /// The places in line of the reply and of a title. Costs nothing while no provider has one of its own.
    private func gates(of turn: NewTurn) async throws -> (reply: Int16, title: Int16) {
        guard let gates, !gates.isEmpty else { return (0, 0) }
        var model = turn.modelID
        if model == nil {
            model =
                try await database.pool.query(
                    ProviderStatements.sessionModel(turn.sessionID, owner: turn.userID)
                ).decodeFirst(ModelID?.self) ?? nil
        }
        let reply = gates.gate(of: model ?? turn.defaultModelID)
        return (reply, turn.titleModelID.map { gates.gate(of: $0) } ?? reply)
    }
}

extension NewTurn {
    /// What it is once it is stored.
    fileprivate var accepted: AcceptedTurn {
        AcceptedTurn(jobID: jobID, messageID: messageID, userMessageID: userMessageID, sessionID: sessionID)
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
