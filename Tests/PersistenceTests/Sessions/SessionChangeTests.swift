// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Postgres
import Synchronization
import TestSupport
import Testing

/// Every change that a page shows raises the session's version by one and is told once, after its commit.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct SessionChangeTests {
    /// What was told, in order.
    private final class Told: Sendable {
        private let changes = Mutex<[SessionChange]>([])
        func add(_ change: SessionChange) { changes.withLock { $0.append(change) } }
        func take() -> [SessionChange] {
            changes.withLock { changes in
                defer { changes = [] }
                return changes
            }
        }
    }

    private struct Setting {
        let database: TestDatabase
        let fixture: Fixture
        let session: SessionID
        let told: Told
        let queue: PostgresJobQueue
        let turns: TurnStore
        let sessions: SessionStore
        let replies: ReplyStore
        let worker: WorkerID = Fixture.id()

        func version() async throws -> Int64 {
            try await sessions.find(session, user: fixture.user)?.version ?? 0
        }

        func submit(_ change: (inout NewTurn) -> Void = { _ in }) async throws -> NewTurn {
            let turn = fixture.turn(in: session) {
                $0.wantsTitle = false
                change(&$0)
            }
            _ = try await turns.submit(turn)
            return turn
        }

        func claim() async throws -> ClaimedJob {
            try #require(try await queue.claim(ClaimLimit(total: 1, background: 0), worker: worker).first)
        }

        /// What was told since the last look, which must be changes from this version on, one each.
        func changes(after version: Int64, sourceLocation: SourceLocation = #_sourceLocation) async throws
            -> [SessionChange.Kind]
        {
            let told = told.take()
            let versions = told.map(\.version)
            #expect(
                versions == Array((version + 1)..<(version + 1 + Int64(told.count))), sourceLocation: sourceLocation)
            #expect(told.allSatisfy { $0.session == session }, sourceLocation: sourceLocation)
            let now = try await self.version()
            #expect(now == version + Int64(told.count), sourceLocation: sourceLocation)
            return told.map(\.kind)
        }
    }

    private func with(_ body: @Sendable (Setting) async throws -> Void) async throws {
        try await TestDatabase.withMigrated { database in
            let fixture = try await Fixture.make(in: database)
            let told = Told()
            let tell: SessionChangeHandler = { told.add($0) }
            let queue = PostgresJobQueue(
                pool: database.pool, claimer: database.pool, clock: database.clock, onSessionChange: tell)
            try await body(
                Setting(
                    database: database, fixture: fixture, session: try await fixture.session().id, told: told,
                    queue: queue, turns: TurnStore(database: database.database, queue: queue, clock: database.clock),
                    sessions: SessionStore(database: database.database, onChange: tell),
                    replies: ReplyStore(database: database.database, onChange: tell)))
        }
    }

    private func reply(_ turn: NewTurn, _ text: String) -> RunEffect {
        .reply(
            ReplyEnd(
                messageID: turn.messageID, sessionID: turn.sessionID, owner: turn.userID, content: text,
                status: .complete, finishReason: .stop, failure: nil,
                usage: Usage(promptTokens: 1, completionTokens: 1, contextLimit: 10, isEstimated: false), model: "m",
                provider: "local", call: nil))
    }

    @Test func `a turn, its run and its end are told`() async throws {
        try await with { test in
            let turn = try await test.submit()
            #expect(try await test.changes(after: 1) == [.messages([turn.userMessageID, turn.messageID])])
            let job = try await test.claim()
            let call = ProviderCall(
                lease: job.lease, number: 1, userID: turn.userID, sessionID: turn.sessionID,
                messageID: turn.messageID, model: "m", provider: "local")
            try await test.replies.begin(turn.messageID, call, promptTokens: 1, contextLimitTokens: 10)
            #expect(try await test.changes(after: 2) == [.messages([turn.messageID])])
            _ = try await test.queue.settle(job, .completed(result: nil), events: [], effect: reply(turn, "a"))
            #expect(try await test.changes(after: 3) == [.messages([turn.messageID])])
            // Nothing is left to begin or to end.
            try await test.replies.begin(turn.messageID, call, promptTokens: 1, contextLimitTokens: 10)
            _ = try await test.queue.settle(job, .completed(result: nil), events: [], effect: reply(turn, "b"))
            #expect(try await test.changes(after: 4) == [])
        }
    }

    @Test(arguments: [
        RunEnd.again(
            after: .seconds(3600), attemptSpent: false, hadOutput: false,
            failure: JobFailure(.rateLimited, .rateLimited, "later")),
        .handedOver(hadOutput: false),
    ])
    func `a run that gives its job back is told`(end: RunEnd) async throws {
        try await with { test in
            _ = try await test.submit()
            _ = test.told.take()
            _ = try await test.queue.settle(try await test.claim(), end, events: [])
            #expect(try await test.changes(after: 2) == [.standing])
        }
    }

    @Test func `a rescued job is told`() async throws {
        try await with { test in
            _ = try await test.submit()
            _ = try await test.claim()
            _ = test.told.take()
            _ = try await test.queue.rescue(test.worker)
            #expect(try await test.changes(after: 2) == [.standing])
            let job = try await test.claim()
            _ = try await test.queue.putBackUnknown(job.lease, worker: test.worker)
            #expect(try await test.changes(after: 3) == [.standing])
            _ = try await test.queue.rescue(Fixture.id())
            #expect(try await test.changes(after: 4) == [])
        }
    }

    @Test func `a reply that is tried again by hand is told`() async throws {
        try await with { test in
            let turn = try await test.submit()
            _ = try await test.queue.abandon(try await test.claim(), JobFailure(.fatal, .internalError, "x"))
            _ = test.told.take()
            guard case .linedUp = try await test.queue.retry(turn.jobID, owner: nil) else {
                return #expect(Bool(false))
            }
            #expect(try await test.changes(after: 3) == [.messages([turn.messageID])])
            #expect(try await test.queue.retry(turn.jobID, owner: nil) == .alreadyUnfinished)
            #expect(try await test.changes(after: 4) == [])
        }
    }

    @Test func `what is stopped in line is told, and what is interrupted after what interrupts it`() async throws {
        try await with { test in
            let first = try await test.submit()
            _ = test.told.take()
            _ = try await test.turns.stop(first.jobID, owner: first.userID)
            #expect(try await test.changes(after: 2) == [.messages([first.messageID])])
            let second = try await test.submit()
            let third = try await test.submit { $0.onBusy = .interrupt }
            #expect(
                try await test.changes(after: 3) == [
                    .messages([second.userMessageID, second.messageID]),
                    .messages([third.userMessageID, third.messageID]), .messages([second.messageID]),
                ])
        }
    }

    @Test func `a title is told, a person's never overwritten`() async throws {
        try await with { test in
            func make(_ title: String) async throws {
                let job = NewJob(id: Fixture.id(), kind: .title, lane: .title, userID: test.fixture.user, payload: [])
                _ = try await test.queue.enqueue([job])
                let claimed = try await test.queue.claim(ClaimLimit(total: 1, background: 1), worker: test.worker)
                _ = try await test.queue.settle(
                    try #require(claimed.first), .completed(result: nil), events: [],
                    effect: .title(session: test.session, owner: test.fixture.user, title: title))
            }
            try await make("made")
            #expect(try await test.changes(after: 1) == [.title("made")])
            var changes = SessionChanges()
            changes.title = "mine"
            _ = try await test.sessions.update(test.session, user: test.fixture.user, changes)
            #expect(try await test.changes(after: 2) == [.title("mine")])
            try await make("made again")
            #expect(try await test.changes(after: 3) == [])
            var archived = SessionChanges()
            archived.archived = true
            _ = try await test.sessions.update(test.session, user: test.fixture.user, archived)
            #expect(try await test.changes(after: 3) == [.other])
        }
    }

    @Test func `what is rolled back is not told`() async throws {
        try await with { test in
            let turn = try await test.submit()
            let job = try await test.claim()
            _ = try await test.turns.stop(turn.jobID, owner: turn.userID)
            _ = test.told.take()
            let before = try await test.version()
            let settlement = try await test.queue.settle(
                job, .completed(result: nil), events: [], effect: reply(turn, "a"))
            guard case .cancelRequested = settlement else { return #expect(Bool(false), "\(settlement)") }
            #expect(try await test.changes(after: before) == [])
            let refused = try await test.turns.submit(
                test.fixture.turn(in: test.session) { $0.parentMessageID = Fixture.id() })
            guard case .parentNotFound = refused else { return #expect(Bool(false), "\(refused)") }
            #expect(try await test.changes(after: before) == [])
        }
    }

    @Test func `a session that is deleted is told`() async throws {
        try await with { test in
            try await test.sessions.delete(test.session, user: test.fixture.user) { _, _ in }
            #expect(test.told.take().map(\.kind) == [.deleted])
        }
    }

    @Test func `what is read for pages belongs to who asks`() async throws {
        try await with { test in
            let turn = try await test.submit()
            let reader = SessionWatchReader(pool: test.database.pool)
            let mine = SessionWatchReader.Place(session: test.session, owner: test.fixture.user)
            let stranger: UserID = Fixture.id()
            let foreign = SessionWatchReader.Place(session: test.session, owner: stranger)
            let gone = SessionWatchReader.Place(session: Fixture.id(), owner: test.fixture.user)
            let look = try await reader.look(
                at: [foreign, mine, gone],
                messages: [
                    SessionWatchReader.Item(message: turn.messageID, owner: stranger),
                    SessionWatchReader.Item(message: turn.userMessageID, owner: test.fixture.user),
                ], deadline: .now + .seconds(5))
            #expect(look.snapshots[0] == nil && look.snapshots[2] == nil)
            let snapshot = try #require(look.snapshots[1])
            #expect(snapshot.leafID == turn.messageID && snapshot.version == 2)
            #expect(snapshot.runningJob?.job == turn.jobID && snapshot.runningJob?.message == turn.messageID)
            #expect(snapshot.runningJob?.state == .ready)
            #expect(look.messages.map(\.message.id) == [turn.userMessageID])
            let versions = try await reader.versions(of: [foreign, mine, gone], deadline: .now + .seconds(5))
            #expect(versions == [nil, 2, nil])
        }
    }
}
