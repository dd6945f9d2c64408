// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct MessageStoreTests {
    private func chain(_ count: Int, _ fixture: Fixture, _ session: SessionID) async throws -> [MessageID] {
        var ids: [MessageID] = []
        for number in 0..<count {
            ids.append(
                try await fixture.message(
                    "message \(number)", in: session, under: ids.last, role: number % 2 == 0 ? .user : .assistant))
        }
        return ids
    }

    @Test func `the path goes from the root to the leaf and pages upwards`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let ids = try await chain(7, fixture, session)
        var seen: [[MessageID]] = []
        var cursor: MessageID?
        repeat {
            let page = try await fixture.messages.path(
                to: ids[6], in: session, user: fixture.user, above: cursor, limit: 3)
            seen.append(page.items.map(\.message.id))
            cursor = page.nextCursor
        } while cursor != nil
        #expect(seen == [Array(ids[4...6]), Array(ids[1...3]), [ids[0]]])
        let whole = try await fixture.messages.path(to: ids[6], in: session, user: fixture.user, limit: 7)
        #expect(whole.items.map(\.message.id) == ids && whole.nextCursor == nil)
        #expect(whole.items.map(\.message.content) == (0..<7).map { "message \($0)" })
    }

    @Test func `siblings are counted among answers and among roots`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let first = try await fixture.message("ask", in: session, under: nil)
        let edited = try await fixture.message("ask again", in: session, under: nil)
        var replies: [MessageID] = []
        for number in 0..<3 {
            replies.append(try await fixture.message("\(number)", in: session, under: edited, role: .assistant))
        }
        let path = try await fixture.messages.path(to: replies[1], in: session, user: fixture.user, limit: 10)
        #expect(path.items.map(\.message.id) == [edited, replies[1]])
        #expect(path.items.map(\.siblingIndex) == [1, 1])
        #expect(path.items.map(\.siblingCount) == [2, 3])
        let root = try #require(try await fixture.messages.find(first, user: fixture.user))
        #expect((root.siblingIndex, root.siblingCount) == (0, 2))
    }

    @Test func `a circle ends the walk`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let ids = try await chain(3, fixture, session)
        try await fixture.database.pool.execute(
            "UPDATE messages SET parent_id = \(ids[2]) WHERE id = \(ids[0])")
        let path = try await fixture.messages.path(to: ids[2], in: session, user: fixture.user, limit: 50)
        #expect(path.items.map(\.message.id) == ids && path.nextCursor == nil)
        let thread = try await fixture.messages.thread(
            endingAt: ids[2], with: session, user: fixture.user, maximumCount: 50)
        #expect(thread?.messages.map(\.id) == ids)
    }

    @Test func `the walk stays in its session and ends at a missing parent`() async throws {
        let fixture = try await Fixture.make()
        let (one, other) = (try await fixture.session().id, try await fixture.session().id)
        let foreign = try await fixture.message("other", in: other, under: nil)
        let inside = try await fixture.message("inside", in: one, under: foreign)
        let orphan = try await fixture.message("orphan", in: one, under: Fixture.id())
        for leaf in [inside, orphan] {
            let path = try await fixture.messages.path(to: leaf, in: one, user: fixture.user, limit: 5)
            #expect(path.items.map(\.message.id) == [leaf])
            let thread = try await fixture.messages.thread(endingAt: leaf, with: one, user: fixture.user)
            #expect(thread?.messages.map(\.id) == [leaf])
        }
        #expect(try await fixture.messages.path(to: foreign, in: one, user: fixture.user, limit: 5).items.isEmpty)
    }

    @Test func `a thread is bounded by count and by bytes`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let ids = try await chain(6, fixture, session)
        func thread(count: Int, bytes: Int) async throws -> [MessageID]? {
            try await fixture.messages.thread(
                endingAt: ids[5], with: session, user: fixture.user, maximumCount: count, maximumBytes: bytes
            )?.messages.map(\.id)
        }
        #expect(try await thread(count: 100, bytes: 1000) == ids)
        #expect(try await thread(count: 2, bytes: 1000) == Array(ids[4...]))
        // Nine bytes each: the third reaches the bound and is the last.
        #expect(try await thread(count: 100, bytes: 27) == Array(ids[3...]))
        #expect(try await thread(count: 100, bytes: 1) == [ids[5]])
    }

    @Test func `a message is read with parts, figures and failure, and found by its job`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let job: JobID = Fixture.id()
        let id = try await fixture.message(
            "hello 🦊", in: session, under: nil, role: .assistant, status: .incomplete, job: job)
        try await fixture.database.pool.execute(
            """
            UPDATE messages
            SET parts = '[{"type":"image","mime":"image/png","url":"https://example.org/a.png"}]',
                usage = '{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"context_limit":100,'
                        || '"context_remaining":88,"estimated":true}',
                finish_reason = 'cancelled', error_code = 'idle_timeout', error_message = 'It stopped.',
                model = 'gpt-x', provider = 'openai'
            WHERE id = \(id)
            """)
        let message = try #require(try await fixture.messages.find(job: job, user: fixture.user))
        #expect(message.id == id && message.role == .assistant && message.status == .incomplete)
        #expect(message.parts == [.image(ImagePart(source: .url("https://example.org/a.png"), mime: "image/png"))])
        #expect(
            message.usage == Usage(promptTokens: 5, completionTokens: 7, contextLimit: 100, isEstimated: true))
        #expect(message.finishReason == .cancelled && message.failure?.code == "idle_timeout")
        #expect(message.failure?.message == "It stopped." && message.model == "gpt-x")
        #expect(message.chatMessage.content == "hello 🦊")
    }

    @Test func `what cannot be read is an error that does not quote it`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let id = try await fixture.message("x", in: session, under: nil)
        try await fixture.database.pool.execute("UPDATE messages SET parts = 'private' WHERE id = \(id)")
        do {
            _ = try await fixture.messages.find(id, user: fixture.user)
            Issue.record("a broken column was read")
        } catch {
            #expect(error.code == .internal && !"\(error)".contains("private"))
        }
    }
}
