// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

/// The threads that come along with a claim for chat.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct ClaimedThreadTests {
    private struct Setting: Sendable {
        let database: TestDatabase
        let fixture: Fixture
        let worker: WorkerID = Fixture.id()

        func submit(in session: SessionID, content: String = "Hello", under parent: MessageID? = nil) async throws
            -> NewTurn
        {
            let turns = TurnStore(database: database.database, queue: database.queue, clock: database.clock)
            let turn = fixture.turn(in: session) { turn in
                turn.content = content
                turn.parentMessageID = parent
            }
            guard case .accepted = try await turns.submit(turn) else { throw NotAccepted() }
            return turn
        }

        func claim(background: Int = 0) async throws -> [ClaimedJob] {
            try await database.queue.claim(ClaimLimit(total: 10, background: background), worker: worker)
        }
    }

    private struct NotAccepted: Error {}

    private func with(_ body: @Sendable (Setting) async throws -> Void) async throws {
        try await TestDatabase.withMigrated { database in
            try await body(Setting(database: database, fixture: try await Fixture.make(in: database)))
        }
    }

    @Test func `a claimed turn comes with what its run would load`() async throws {
        try await with { test in
            var new = NewSession(id: Fixture.id(), userID: test.fixture.user, title: "t")
            new.modelID = Fixture.id()
            new.instructions = "Be brief."
            let session = try await test.fixture.sessions.create(new)
            let first = try await test.fixture.message("one", in: session.id, under: nil)
            let second = try await test.fixture.message("two", in: session.id, under: first, role: .assistant)
            try await test.fixture.message("another branch", in: session.id, under: first, role: .assistant)
            let turn = try await test.submit(in: session.id, content: "three", under: second)

            let job = try #require(try await test.claim().first)
            let thread = try #require(job.attachment as? TurnThread)
            let loaded = try #require(
                try await test.fixture.messages.thread(
                    endingAt: turn.userMessageID, with: session.id, user: test.fixture.user))
            #expect(thread.messages == loaded.messages)
            #expect(thread.messages.map(\.content) == ["one", "two", "three"])
            #expect((thread.sessionID, thread.leafID) == (session.id, turn.userMessageID))
            #expect((thread.modelID, thread.instructions) == (session.modelID, "Be brief."))
            let payload = try #require(ChatPayload(json: job.payload))
            #expect(thread.belongs(to: payload, of: job))
            var other = payload
            other.userMessageID = second
            #expect(!thread.belongs(to: other, of: job))
            other = payload
            other.sessionID = Fixture.id()
            #expect(!thread.belongs(to: other, of: job))
        }
    }

    @Test func `a claim brings the threads of what it took, and of nothing that was taken before`() async throws {
        try await with { test in
            let (one, other) = (try await test.fixture.session().id, try await test.fixture.session().id)
            let first = try await test.submit(in: one)
            #expect(try await test.claim().map { ($0.attachment as? TurnThread)?.leafID } == [first.userMessageID])
            let second = try await test.submit(in: other)
            #expect(try await test.claim().map { ($0.attachment as? TurnThread)?.leafID } == [second.userMessageID])
            #expect(try await test.claim().isEmpty)
        }
    }

    @Test func `a turn of another owner than the reply's row has no use for the thread`() async throws {
        try await with { test in
            let session = try await test.fixture.session().id
            let turn = try await test.submit(in: session)
            let stranger = try await Fixture.make(in: test.database)
            try await test.database.pool.execute("UPDATE jobs SET user_id = \(stranger.user) WHERE id = \(turn.jobID)")
            let job = try #require(try await test.claim().first)
            let payload = try #require(ChatPayload(json: job.payload))
            #expect((job.attachment as? TurnThread)?.belongs(to: payload, of: job) == false)
        }
    }

    /// What is left for the run to load: the claim is the same with it and without.
    @Test(arguments: ["long", "long turn", "orphan", "foreign parent", "no reply", "background"])
    func `a thread that cannot come along is left to its run`(what: String) async throws {
        try await with { test in
            let session = try await test.fixture.session().id
            var parent: MessageID?
            switch what {
            case "long":
                parent = try await test.fixture.message(
                    String(repeating: "x", count: 300_000), in: session, under: nil)
                parent = try await test.fixture.message("y", in: session, under: parent)
            case "orphan": parent = try await test.fixture.message("x", in: session, under: Fixture.id())
            case "foreign parent":
                let other = try await test.fixture.session().id
                let foreign = try await test.fixture.message("x", in: other, under: nil)
                parent = try await test.fixture.message("y", in: session, under: foreign)
            default: break
            }
            let turn = try await test.submit(
                in: session, content: what == "long turn" ? String(repeating: "x", count: 200_000) : "Hello",
                under: parent)
            if what == "no reply" {
                try await test.database.pool.execute("DELETE FROM messages WHERE job_id = \(turn.jobID)")
            }
            let jobs = try await test.claim(background: what == "background" ? 5 : 0)
            let job = try #require(jobs.first { $0.lease.job == turn.jobID })
            #expect(job.attachment == nil)
        }
    }

    @Test func `four threads come along, and every job`() async throws {
        try await with { test in
            for _ in 0..<6 { _ = try await test.submit(in: try await test.fixture.session().id) }
            let jobs = try await test.claim()
            #expect(jobs.count == 6 && jobs.count { $0.attachment != nil } == 4)
        }
    }

    @Test func `threads that cannot be read stop no claim`() async throws {
        try await with { test in
            let turn = try await test.submit(in: try await test.fixture.session().id)
            try await test.database.pool.execute("ALTER TABLE messages RENAME COLUMN finish_reason TO unreadable")
            let jobs = try await test.claim()
            #expect(jobs.map(\.lease.job) == [turn.jobID] && jobs[0].attachment == nil)
        }
    }

    @Test func `a thread with a word that this version does not know is left to its run`() async throws {
        try await with { test in
            let session = try await test.fixture.session().id
            let turn = try await test.submit(in: session)
            try await test.database.pool.execute(
                "UPDATE messages SET parts = 'not json' WHERE id = \(turn.userMessageID)")
            let jobs = try await test.claim()
            #expect(jobs.map(\.lease.job) == [turn.jobID] && jobs[0].attachment == nil)
        }
    }
}
