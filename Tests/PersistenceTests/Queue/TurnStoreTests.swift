// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

extension Fixture {
    /// A turn with ids of its own.
    func turn(in session: SessionID, _ change: (inout NewTurn) -> Void = { _ in }) -> NewTurn {
        var turn = NewTurn(
            userID: user, sessionID: session, jobID: Self.id(), messageID: Self.id(), userMessageID: Self.id(),
            titleJobID: Self.id(), content: "Hello")
        change(&turn)
        return turn
    }
}

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct TurnStoreTests {
    private struct Setting: Sendable {
        let database: TestDatabase
        let fixture: Fixture
        let session: SessionID
        let turns: TurnStore

        func submit(_ change: (inout NewTurn) -> Void = { _ in }) async throws -> TurnSubmission {
            try await turns.submit(fixture.turn(in: session, change))
        }

        func accept(_ change: (inout NewTurn) -> Void = { _ in }) async throws -> AcceptedTurn {
            guard case .accepted(let turn, _, _) = try await submit(change) else { throw NotAccepted() }
            return turn
        }

        func claim() async throws -> [ClaimedJob] {
            try await database.queue.claim(ClaimLimit(total: 10, background: 0), worker: Fixture.id())
        }

        func count(_ table: SQL) async throws -> Int? {
            try await database.pool.query("SELECT count(*) FROM \(fragment: table)").decodeFirst(Int.self)
        }

        func kinds(_ job: JobID) async throws -> [StreamEventKind] {
            try await EventLogReader(pool: database.pool).read(job, after: .beginning).map(\.kind)
        }

        func state(_ job: JobID) async throws -> JobState? {
            try await database.queue.record(job, owner: fixture.user)?.state
        }
    }

    private struct NotAccepted: Error {}

    private func with(_ body: @Sendable (Setting) async throws -> Void) async throws {
        try await TestDatabase.withMigrated { database in
            let fixture = try await Fixture.make(in: database)
            let turns = TurnStore(database: database.database, queue: database.queue, clock: database.clock)
            try await body(
                Setting(
                    database: database, fixture: fixture, session: try await fixture.session().id, turns: turns))
        }
    }

    @Test func `a first turn is stored with its reply, its job and a title's job`() async throws {
        try await with { test in
            guard case .accepted(let turn, let opening, let stopped) = try await test.submit() else {
                throw NotAccepted()
            }
            #expect(stopped.count == 0)
            #expect(try await EventLogReader(pool: test.database.pool).read(turn.jobID, after: .beginning) == opening)
            let reply = try #require(try await test.fixture.messages.find(job: turn.jobID, user: test.fixture.user))
            #expect(reply.id == turn.messageID && reply.parentID == turn.userMessageID && reply.role == .assistant)
            #expect(try await test.kinds(turn.jobID) == [.start])
            let jobs = try await test.database.queue.claim(ClaimLimit(total: 5, background: 5), worker: Fixture.id())
            #expect(jobs.map(\.kind) == [.chat, .title])
            let payload = try #require(ChatPayload(json: jobs[0].payload))
            #expect(payload.messageID == turn.messageID && payload.userMessageID == turn.userMessageID)
            _ = try await test.database.queue.settle(jobs[0], .completed(result: nil), events: [])
            // The second turn has none, and hangs under the reply.
            let second = try await test.accept()
            #expect(try await test.count("jobs") == 3)
            let user = try await test.fixture.messages.find(second.userMessageID, user: test.fixture.user)
            #expect(user?.message.parentID == turn.messageID)
        }
    }

    @Test func `workers hear of a turn with its commit, and of a title only when there is one to make`() async throws {
        try await with { test in
            try await JobNotices.hear(in: test.database) { notices in
                _ = try await test.accept()
                #expect(try await notices.next() == ["jobs 0", "jobs 1"])
                // Behind the first there is nothing to run.
                _ = try await test.accept()
                #expect(try await notices.next().isEmpty)
                _ = try await test.turns.submit(
                    test.fixture.turn(in: test.fixture.session().id) { $0.wantsTitle = false })
                #expect(try await notices.next() == ["jobs 0"])
            }
        }
    }

    @Test func `a session with a title of its person's own, or a turn without the wish, gets no title job`()
        async throws
    {
        try await with { test in
            _ = try await test.accept { $0.wantsTitle = false }
            #expect(try await test.count("jobs") == 1)
            let named = try await test.fixture.session()
            try await test.database.pool.execute("UPDATE sessions SET title_source = 'user' WHERE id = \(named.id)")
            _ = try await test.turns.submit(test.fixture.turn(in: named.id))
            #expect(try await test.count("jobs") == 2)
        }
    }

    @Test func `what is refused leaves nothing behind`() async throws {
        try await with { test in
            let other = try await Fixture.make(in: test.database)
            let theirs = try await other.session()
            let stranger = try await other.message("x", in: theirs.id, under: nil)
            let key = IdempotencyKey(userID: test.fixture.user, route: "r", key: "k", body: [])
            guard
                case .sessionNotFound = try await test.turns.submit(
                    test.fixture.turn(in: Fixture.id()) { $0.idempotencyKey = key }),
                case .sessionNotFound = try await test.turns.submit(test.fixture.turn(in: theirs.id)),
                case .parentNotFound = try await test.submit({ $0.parentMessageID = Fixture.id() }),
                case .parentNotFound = try await test.submit({ $0.parentMessageID = stranger })
            else { throw NotAccepted() }
            for table: SQL in ["jobs", "ready", "waiting", "serial_heads", "events", "idempotency_keys"] {
                #expect(try await test.count(table) == 0)
            }
            #expect(try await test.count("messages") == 1)
            // The key is free again, and the other's session was not held up.
            _ = try await test.accept { $0.idempotencyKey = key }
        }
    }

    @Test func `a turn hangs where it is told to`() async throws {
        try await with { test in
            let first = try await test.accept()
            let branch = try await test.accept { $0.parentMessageID = first.userMessageID }
            let user = try await test.fixture.messages.find(branch.userMessageID, user: test.fixture.user)
            #expect(user?.message.parentID == first.userMessageID)
        }
    }

    @Test(arguments: [true, false])
    func `a busy session queues or refuses`(isRunning: Bool) async throws {
        try await with { test in
            let first = try await test.accept()
            let running = isRunning ? try await test.claim() : []
            guard case .busy = try await test.submit({ $0.onBusy = .reject }) else { throw NotAccepted() }
            #expect(try await test.count("messages") == 2)
            guard case .accepted(let second, let opening, let stopped) = try await test.submit() else {
                throw NotAccepted()
            }
            #expect(stopped.count == 0)
            #expect(opening.map(\.kind) == [.start, .queued])
            #expect(try await EventLogReader(pool: test.database.pool).read(second.jobID, after: .beginning) == opening)
            guard isRunning else { return }
            #expect(try await test.claim().isEmpty)
            #expect(running.map(\.lease.job) == [first.jobID])
            _ = try await test.database.queue.settle(running[0], .completed(result: nil), events: [])
            #expect(try await test.claim().map(\.lease.job) == [second.jobID])
        }
    }

    @Test(arguments: [true, false])
    func `an interrupting turn stops what is under way and what waits`(isRunning: Bool) async throws {
        try await with { test in
            let first = try await test.accept()
            let running = isRunning ? try await test.claim() : []
            let waiting = try await test.accept()
            guard
                case .accepted(let turn, _, let stopped) = try await test.submit({ $0.onBusy = .interrupt })
            else { throw NotAccepted() }
            #expect(stopped.running == running.map(\.lease))
            #expect(try await test.state(waiting.jobID) == .cancelled)
            #expect(Set(stopped.events.map(\.job)) == (isRunning ? [waiting.jobID] : [first.jobID, waiting.jobID]))
            #expect(stopped.wake.contains(.chat) == !isRunning)
            if isRunning {
                #expect(try await test.claim().isEmpty)
                #expect(
                    try await test.database.queue.settle(running[0], .completed(result: nil), events: [])
                        == .cancelRequested)
                _ = try await test.database.queue.settle(running[0], .cancelled, events: [])
            }
            #expect(try await test.state(first.jobID) == .cancelled)
            #expect(try await test.claim().map(\.lease.job) == [turn.jobID])
        }
    }

    @Test func `the same request is stored once and another is told apart`() async throws {
        try await with { test in
            let key = IdempotencyKey(userID: test.fixture.user, route: "r", key: "k", body: [1])
            let first = try await test.accept { $0.idempotencyKey = key }
            guard case .repeated(let again) = try await test.submit({ $0.idempotencyKey = key }) else {
                throw NotAccepted()
            }
            #expect(again == first)
            let other = IdempotencyKey(userID: test.fixture.user, route: "r", key: "k", body: [2])
            guard case .idempotencyMismatch = try await test.submit({ $0.idempotencyKey = other }) else {
                throw NotAccepted()
            }
            #expect(try await test.count("messages") == 2)
            #expect(try await test.count("jobs") == 2)
            // The key outlives the job's record where retention is short.
            try await test.database.pool.execute("DELETE FROM jobs")
            guard case .repeated(let late) = try await test.submit({ $0.idempotencyKey = key }) else {
                throw NotAccepted()
            }
            #expect(late == first)
        }
    }

    @Test func `a turn repeated with its own ids is stored once`() async throws {
        try await with { test in
            let turn = test.fixture.turn(in: test.session)
            guard case .accepted(let first, _, _) = try await test.turns.submit(turn),
                case .repeated(let again) = try await test.turns.submit(turn)
            else { throw NotAccepted() }
            #expect(first == again)
            #expect(try await test.count("messages") == 2)
        }
    }

    @Test func `duplicates at the same time make one job`() async throws {
        try await with { test in
            let key = IdempotencyKey(userID: test.fixture.user, route: "r", key: "k", body: [1])
            let results = try await withThrowingTaskGroup(of: TurnSubmission.self) { group in
                for _ in 0..<12 { group.addTask { try await test.submit { $0.idempotencyKey = key } } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var turns: Set<AcceptedTurn> = []
            var acceptedCount = 0
            for result in results {
                switch result {
                case .accepted(let turn, _, _):
                    acceptedCount += 1
                    turns.insert(turn)
                case .repeated(let turn): turns.insert(turn)
                default: #expect(Bool(false), "\(result)")
                }
            }
            #expect(acceptedCount == 1 && turns.count == 1)
            #expect(try await test.count("jobs WHERE kind = 'chat'") == 1)
        }
    }

    @Test(arguments: [NewTurn.OnBusy.queue, .interrupt, .reject])
    func `turns at the same time are ordered and leave nobody behind`(onBusy: NewTurn.OnBusy) async throws {
        try await with { test in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { _ = try await test.submit { $0.onBusy = onBusy } } }
                try await group.waitForAll()
            }
            var ran = 0
            while let job = try await test.claim().first {
                ran += 1
                _ = try await test.database.queue.settle(job, .completed(result: nil), events: [])
            }
            #expect(ran == (onBusy == .queue ? 8 : 1))
            #expect(try await test.count("jobs WHERE state IS NULL AND kind = 'chat'") == 0)
            #expect(try await test.count("serial_heads") == 0)
        }
    }

    @Test func `stopping a session ends what waits and tells what runs`() async throws {
        try await with { test in
            let first = try await test.accept()
            let running = try await test.claim()
            let (second, third) = (try await test.accept(), try await test.accept())
            let stranger = try await Fixture.make(in: test.database)
            #expect(try await test.turns.stop(test.session, owner: stranger.user).count == 0)
            let stopped = try await test.turns.stop(test.session, owner: test.fixture.user)
            #expect(stopped.count == 3 && stopped.running == running.map(\.lease) && stopped.wake.isEmpty)
            #expect(Set(stopped.events.map(\.job)) == [second.jobID, third.jobID])
            _ = try await test.database.queue.settle(running[0], .cancelled, events: [])
            #expect(try await test.state(first.jobID) == .cancelled)
            #expect(try await test.turns.stop(test.session, owner: test.fixture.user).count == 0)
            #expect(try await test.claim().isEmpty)
            #expect(try await test.turns.stop(first.jobID, owner: test.fixture.user)?.count == 0)
            #expect(try await test.turns.stop(first.jobID, owner: stranger.user)?.count == nil)
        }
    }
}
