// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct SessionStoreTests {
    @Test func `a session is read as it was made`() async throws {
        let fixture = try await Fixture.make()
        var new = NewSession(id: Fixture.id(), userID: fixture.user, title: " spaces, 🦊 and \"quotes\" ")
        new.titleSource = .user
        new.instructions = "Be brief."
        new.tags = ["a", "", "ü,\"{}"]
        let made = try await fixture.sessions.create(new)
        #expect(made.title == new.title && made.tags == new.tags && made.instructions == "Be brief.")
        #expect(made.version == 1 && made.messageCount == 0 && made.leafID == nil && !made.isArchived)
        #expect(try await fixture.sessions.find(new.id, user: fixture.user) == made)
    }

    @Test func `pages go by last activity and miss nothing of the same moment`() async throws {
        let fixture = try await Fixture.make()
        var all: [SessionID] = []
        for _ in 0..<7 { all.append(try await fixture.session().id) }
        try await fixture.database.pool.execute(
            "UPDATE sessions SET updated_at = '2026-01-01T00:00:00.123456Z' WHERE user_id = \(fixture.user)")
        var changes = SessionChanges()
        changes.title = "touched"
        _ = try await fixture.sessions.update(all[2], user: fixture.user, changes)
        var seen: [SessionID] = []
        var cursor: TimeCursor?
        repeat {
            let page = try await fixture.sessions.list(of: fixture.user, after: cursor, limit: 3)
            #expect(page.items.count <= 3)
            seen += page.items.map(\.id)
            // As a client sends it back.
            cursor = try page.nextCursor.map { try #require(TimeCursor($0.description)) }
        } while cursor != nil
        #expect(seen.first == all[2])
        #expect(seen.dropFirst() == all.filter { $0 != all[2] }.sorted(by: >)[...])
    }

    @Test(arguments: ["", "abc", String(repeating: "A", count: 31), String(repeating: "=", count: 32), "ü"])
    func `a cursor that was not made here is none`(text: String) {
        #expect(TimeCursor(text) == nil)
    }

    @Test func `an update writes what is given and nothing else`() async throws {
        let fixture = try await Fixture.make()
        let made = try await fixture.session(model: Fixture.id())
        var changes = SessionChanges()
        changes.instructions = .set("only this")
        let first = try await fixture.sessions.update(made.id, user: fixture.user, changes)
        #expect(first.instructions == "only this" && first.modelID == made.modelID && first.title == made.title)
        #expect(first.titleSource == .default && first.version == 2)
        changes = SessionChanges()
        (changes.title, changes.archived, changes.tags) = ("Mine", true, ["x"])
        changes.modelID = .set(nil)
        let second = try await fixture.sessions.update(made.id, user: fixture.user, changes)
        #expect(second.title == "Mine" && second.titleSource == .user && second.isArchived && second.tags == ["x"])
        #expect(second.modelID == nil && second.instructions == "only this" && second.version == 3)
        #expect(second.updatedAt >= first.updatedAt)
        #expect(try await fixture.sessions.list(of: fixture.user, archived: false, limit: 5).items.isEmpty)
        #expect(try await fixture.sessions.list(of: fixture.user, archived: true, limit: 5).items.count == 1)
    }

    @Test func `deleting hands over the unfinished jobs and takes the messages along`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session()
        let (running, queued) = (try await fixture.unfinishedJob(), try await fixture.unfinishedJob())
        let ask = try await fixture.message("ask", in: session.id, under: nil)
        let reply = try await fixture.message(
            "", in: session.id, under: ask, role: .assistant, status: .streaming, job: running)
        try await fixture.message("", in: session.id, under: reply, role: .assistant, status: .queued, job: queued)
        var cancelled: [JobID] = []
        try await fixture.sessions.delete(session.id, user: fixture.user) { _, jobs in cancelled = jobs }
        #expect(cancelled == [queued, running])
        #expect(try await fixture.sessions.find(session.id, user: fixture.user) == nil)
        #expect(try await fixture.messages.find(reply, user: fixture.user) == nil)
    }

    @Test func `a failing cancel leaves everything`() async throws {
        struct Refused: Error {}
        let fixture = try await Fixture.make()
        let session = try await fixture.session()
        #expect(
            try await code {
                try await fixture.sessions.delete(session.id, user: fixture.user) { _, _ in throw Refused() }
            } == .internal)
        #expect(try await fixture.sessions.find(session.id, user: fixture.user) != nil)
    }

    @Test func `a turn that comes in between is cancelled too`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session()
        let late = try await fixture.unfinishedJob()
        var rounds: [[JobID]] = []
        try await fixture.sessions.delete(session.id, user: fixture.user) { _, jobs in
            rounds.append(jobs)
            // Committed by another connection after the first look.
            if rounds.count == 1 {
                try await fixture.message(
                    "", in: session.id, under: nil, role: .assistant, status: .queued, job: late)
            }
        }
        #expect(rounds == [[], [late]])
        #expect(try await fixture.sessions.find(session.id, user: fixture.user) == nil)
    }
}
