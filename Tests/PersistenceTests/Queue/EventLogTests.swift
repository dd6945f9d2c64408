// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

/// The token log: what the publisher's writer lets in, and that the stored text is its fold.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct EventLogTests {
    private func writer(_ database: TestDatabase) async throws -> EventLogWriter {
        let writer = EventLogWriter(
            connection: DedicatedConnection(
                database.configuration, applicationName: "writer", asynchronousCommit: true,
                loop: try TestCluster.loops.get().next(), blocking: TestCluster.blocking, logger: .discard))
        // The first question opens the connection, as after a loss.
        _ = try await writer.lastSequences(of: [])
        return writer
    }

    private func events(
        _ events: [StreamEvent], _ lease: Lease, from first: Int32 = 1, _ database: TestDatabase
    ) -> [StampedEvent] {
        events.enumerated().map { index, event in
            StampedEvent(
                job: lease.job,
                event: LoggedEvent(event, at: StreamCursor(lease: lease.number, sequence: first + Int32(index))),
                written: database.clock.now)
        }
    }

    private func log(_ job: JobID, _ database: TestDatabase) async throws -> [LoggedEvent] {
        try await EventLogReader(pool: database.pool).read(job, after: .beginning)
    }

    private func fold(_ job: JobID, _ database: TestDatabase) async throws -> ReplyFold {
        var fold = ReplyFold()
        for event in try await log(job, database) { fold.apply(try StreamEvent(json: event.data), at: event.cursor) }
        return fold
    }

    /// A turn that is claimed.
    private func turn(_ database: TestDatabase) async throws -> (fixture: Fixture, accepted: AcceptedTurn) {
        let fixture = try await Fixture.make(in: database)
        let session = try await fixture.session()
        let turn = fixture.turn(in: session.id)
        let store = TurnStore(database: database.database, queue: database.queue, clock: database.clock)
        guard case .accepted(let accepted, _, _) = try await store.submit(turn) else { throw NotAccepted() }
        return (fixture, accepted)
    }

    private struct NotAccepted: Error {}

    private func claim(_ database: TestDatabase, _ worker: WorkerID) async throws -> ClaimedJob {
        try #require(try await database.queue.claim(ClaimLimit(total: 1, background: 0), worker: worker).first)
    }

    @Test func `only live leases get in and a repeated flush adds nothing`() async throws {
        try await TestDatabase.withMigrated { database in
            let (_, accepted) = try await turn(database)
            let writer = try await writer(database)
            let worker: WorkerID = Fixture.id()
            let first = try await claim(database, worker)
            let shown = events([.content("a"), .content("b")], first.lease, database)
            #expect(try await writer.append(shown, announcing: []) == [accepted.jobID])
            #expect(try await writer.append(shown, announcing: []) == [accepted.jobID])
            #expect(
                try await writer.lastSequences(of: [first.lease, Lease(job: first.lease.job, number: 3)]).map(\.value)
                    .sorted() == [0, 2])
            _ = try await database.queue.settle(first, .handedOver(hadOutput: true), events: [])
            #expect(try await writer.append(shown, announcing: []) == [])
            let second = try await claim(database, worker)
            let late = events([.content("late")], first.lease, from: 3, database)
            let new = events(
                [.restart(StreamRestart(attempt: 1, reason: "retry", keptBytes: 0))], second.lease, database)
            #expect(try await writer.append(late, announcing: []) == [])
            #expect(try await writer.append(new, announcing: late) == [accepted.jobID])
            let log = try await log(accepted.jobID, database)
            #expect(log.map(\.kind) == [.start, .content, .content, .restart])
            #expect(log.map(\.cursor) == log.map(\.cursor).sorted())
            let rest = try await EventLogReader(pool: database.pool).read(
                accepted.jobID, after: StreamCursor(lease: first.lease.number, sequence: 1))
            #expect(rest.map(\.kind) == [.content, .restart])
        }
    }

    @Test func `large events and many jobs go in one flush`() async throws {
        try await TestDatabase.withMigrated { database in
            let writer = try await writer(database)
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            for _ in 0..<20 { try await test.enqueue() }
            let jobs = try await test.claim()
            let text = String(repeating: "x\u{0}\u{FFFD}🙂\\\"", count: 5000)
            let flush = jobs.flatMap { events([.content(text), .content("y")], $0.lease, database) }
            #expect(try await writer.append(flush, announcing: []) == Set(jobs.map(\.lease.job)))
            for job in jobs {
                #expect(
                    try await log(job.lease.job, database).map { try StreamEvent(json: $0.data) } == [
                        .content(text), .content("y"),
                    ])
            }
        }
    }

    @Test func `a writer without a connection says so instead of making one`() async throws {
        try await TestDatabase.withMigrated { database in
            let writer = EventLogWriter(
                connection: DedicatedConnection(
                    database.configuration, applicationName: "writer", asynchronousCommit: true,
                    loop: try TestCluster.loops.get().next(), blocking: TestCluster.blocking, logger: .discard))
            await #expect(throws: EventAppendError.self) { try await writer.append([], announcing: []) }
        }
    }

    /// How a reply ends that no run ends.
    enum End: CaseIterable, Sendable {
        case cancelledInLine, cancelledWhileDeferred, poison, lostAndCancelled, abandoned
    }

    @Test(arguments: End.allCases)
    func `the stored text is the fold of the log after an end from outside`(end: End) async throws {
        try await TestDatabase.withMigrated { database in
            let (fixture, accepted) = try await turn(database)
            let (queue, writer, worker) = (database.queue, try await writer(database), Fixture.id() as WorkerID)
            let first = try await claim(database, worker)
            _ = try await writer.append(
                events([.content("Héllo "), .reasoning("hm"), .content("world")], first.lease, database), announcing: []
            )
            let last = events([.content("!")], first.lease, from: 4, database)
            var announced: [StampedEvent] = []
            switch end {
            case .cancelledInLine:
                _ = try await queue.settle(first, .handedOver(hadOutput: true), events: last)
                guard case .ended(_, let events) = try await queue.cancel(accepted.jobID, owner: fixture.user) else {
                    throw NotAccepted()
                }
                announced = events
            case .cancelledWhileDeferred:
                let failure = JobFailure(.retry, .providerUnavailable, "")
                let again = RunEnd.again(after: .seconds(60), attemptSpent: true, hadOutput: true, failure: failure)
                _ = try await queue.settle(first, again, events: last)
                guard case .ended(_, let events) = try await queue.cancel(accepted.jobID, owner: fixture.user) else {
                    throw NotAccepted()
                }
                announced = events
            case .poison:
                _ = try await queue.rescue(worker)
                let second = try await claim(database, worker)
                let restart = StreamEvent.restart(StreamRestart(attempt: 2, reason: "worker_lost", keptBytes: 0))
                _ = try await writer.append(
                    events([restart, .content("Other")], second.lease, database), announcing: [])
                _ = try await queue.rescue(worker)
                let third = try await claim(database, worker)
                let keep = StreamEvent.restart(StreamRestart(attempt: 3, reason: "worker_lost", keptBytes: 2))
                _ = try await writer.append(events([keep, .content("ter")], third.lease, database), announcing: [])
                announced = try await queue.rescue(worker).events
            case .lostAndCancelled:
                _ = try await queue.cancel(accepted.jobID, owner: fixture.user)
                announced = try await queue.rescue(worker).events
            case .abandoned:
                announced = try await queue.abandon(first, JobFailure(.fatal, .internalError, "x")).events
            }
            let fold = try await fold(accepted.jobID, database)
            let message = try #require(try await fixture.messages.find(job: accepted.jobID, user: fixture.user))
            #expect(message.content == fold.text)
            #expect(fold.isEnded && !fold.hadInvalidKeep)
            switch end {
            case .cancelledInLine, .cancelledWhileDeferred: #expect(fold.text == "Héllo world!")
            case .poison: #expect(fold.text == "Otter")
            case .lostAndCancelled, .abandoned: #expect(fold.text == "Héllo world")
            }
            #expect(message.status == .incomplete)
            let log = try await log(accepted.jobID, database)
            #expect(Array(log.suffix(announced.count)) == announced.map(\.event) && !announced.isEmpty)
            #expect(log.map(\.cursor) == log.map(\.cursor).sorted())
            // What the old run still sends is cut off, whenever it comes.
            #expect(try await writer.append(last, announcing: []) == [])
        }
    }

    @Test(arguments: [true, false])
    func `a reply that is tried again by hand goes on with restart and is whole at the end`(isCancelled: Bool)
        async throws
    {
        try await TestDatabase.withMigrated { database in
            let (fixture, accepted) = try await turn(database)
            let (queue, writer, worker) = (database.queue, try await writer(database), Fixture.id() as WorkerID)
            let first = try await claim(database, worker)
            _ = try await writer.append(events([.content("lost")], first.lease, database), announcing: [])
            if isCancelled {
                _ = try await queue.settle(first, .handedOver(hadOutput: true), events: [])
                _ = try await queue.cancel(accepted.jobID, owner: fixture.user)
            } else {
                _ = try await queue.abandon(first, JobFailure(.fatal, .internalError, "x"))
            }
            #expect(try await fold(accepted.jobID, database).isEnded)
            let ended = try await log(accepted.jobID, database)
            let retrial = try await queue.retry(accepted.jobID, owner: fixture.user)

            // Whoever reads it now is told of no end, who reads it already too; no place in the log is lost or new.
            let reopened = try await log(accepted.jobID, database)
            guard case .linedUp(wake: [.chat], let announced) = retrial else {
                return #expect(Bool(false), "\(retrial)")
            }
            #expect(announced.map(\.event) == reopened.suffix(1))
            #expect(reopened.map(\.cursor) == ended.map(\.cursor))
            #expect(reopened.last?.kind == .queued)
            #expect(try await !fold(accepted.jobID, database).isEnded)
            let waiting = try #require(try await fixture.messages.find(job: accepted.jobID, user: fixture.user))
            #expect(waiting.status == .queued && waiting.content == "" && waiting.finishReason == nil)

            let second = try await claim(database, worker)
            #expect(second.needsRestart && second.lease.number > (ended.last?.cursor.lease ?? 0))
            let restart = StreamEvent.restart(StreamRestart(attempt: 1, reason: "retry", keptBytes: 0))
            let rest = events([restart, .content("whole"), .stop(.stop), .end], second.lease, database)
            let reply = ReplyEnd(
                messageID: accepted.messageID, sessionID: accepted.sessionID, owner: fixture.user, content: "whole",
                status: .complete, finishReason: .stop, failure: nil,
                usage: Usage(promptTokens: 1, completionTokens: 1, contextLimit: 9, isEstimated: true), model: "m",
                provider: "p", call: nil)
            #expect(
                try await queue.settle(second, .completed(result: nil), events: rest, effect: .reply(reply))
                    == .held(wake: []))
            let message = try #require(try await fixture.messages.find(job: accepted.jobID, user: fixture.user))
            #expect(message.content == "whole" && message.status == .complete)
            #expect(try await fold(accepted.jobID, database).text == "whole")
            let after = try await EventLogReader(pool: database.pool).read(
                accepted.jobID, after: try #require(ended.last?.cursor))
            #expect(after.map(\.kind) == [.restart, .content, .stop, .end])
        }
    }

    @Test func `a turn that is cancelled before it ran ends with an empty text`() async throws {
        try await TestDatabase.withMigrated { database in
            let (fixture, accepted) = try await turn(database)
            _ = try await database.queue.cancel(accepted.jobID, owner: fixture.user)
            let log = try await log(accepted.jobID, database)
            #expect(log.map(\.kind) == [.start, .stop, .usage, .end, .complete])
            let message = try #require(try await fixture.messages.find(job: accepted.jobID, user: fixture.user))
            #expect(message.content == "" && message.status == .incomplete && message.finishReason == .cancelled)
        }
    }

    @Test func `an end whose earlier events a crash took back writes nothing until it brings them all`() async throws {
        try await TestDatabase.withMigrated { database in
            let (fixture, accepted) = try await turn(database)
            let job = try await claim(database, Fixture.id())
            let all = events([.content("one "), .content("two "), .content("three")], job.lease, database)
            // The first two were acknowledged and are gone.
            await #expect(throws: JobQueueError.unavailable) {
                try await database.queue.settle(job, .completed(result: nil), events: [all[2]])
            }
            #expect(try await database.queue.record(accepted.jobID, owner: fixture.user)?.state == .running)
            let settled = try await database.queue.settle(job, .completed(result: nil), events: all)
            #expect(settled == .held(wake: []))
            #expect(try await fold(accepted.jobID, database).text == "one two three")
        }
    }
}
