// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@testable import API

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct SessionEventTests {
    /// Nothing is found but by being told.
    private static var toldOnly: StreamHub.Timing {
        var timing = StreamHub.Timing()
        timing.compareInterval = .seconds(3600)
        timing.deafCompareInterval = .seconds(3600)
        timing.missingGrace = .seconds(3600)
        return timing
    }

    /// What is not told is found at once.
    private static var comparing: StreamHub.Timing {
        var timing = StreamHub.Timing()
        timing.tickInterval = .milliseconds(5)
        timing.compareInterval = .milliseconds(20)
        timing.missingGrace = .milliseconds(20)
        return timing
    }

    /// Opens a session's stream and takes the snapshot that it begins with.
    private func watch(
        _ chat: ChatFixture, at other: TestAPI? = nil, receiveBufferBytes: Int32? = nil
    ) async throws -> (StreamClient, JSONValue) {
        let (client, head) = try await chat.open(
            "GET", "/api/sessions/\(chat.session)/events", at: other, receiveBufferBytes: receiveBufferBytes)
        #expect(head.status == 200)
        #expect(head.fields["content-type"]?.hasPrefix("text/event-stream") == true)
        return (client, try await snapshot(client))
    }

    private func snapshot(_ client: StreamClient) async throws -> JSONValue { try await next(client, "snapshot") }

    /// The next event, which must be of this type and have no id.
    private func next(_ client: StreamClient, _ type: String) async throws -> JSONValue {
        let event = try await client.events(1)[0]
        #expect(event.name == type && event.id == "", "\(event)")
        let data = try JSONParser.parse(event.data)
        #expect(data["type"]?.stringValue == type)
        return data
    }

    /// Changes the title without telling anybody.
    private func rename(_ chat: ChatFixture, _ title: String) async throws {
        var changes = SessionChanges()
        changes.title = title
        _ = try await SessionStore(database: chat.api.services.database)
            .update(chat.session, user: chat.person.id, changes)
    }

    @Test(.migratedDatabase) func `what changes through one process is told by another at once`() async throws {
        try await ChatFixture.with(timing: Self.toldOnly) { chat in
            try await TestAPI.serve(timing: Self.toldOnly) { other in
                await other.untilListening()
                let (page, first) = try await watch(chat, at: other)
                #expect(
                    first
                        == .object([
                            "type": "snapshot", "sessionId": .string("\(chat.session)"), "title": "New chat",
                            "titleSource": "default", "leafMessageId": .null, "summary": .null, "runningJob": .null,
                            "version": 1,
                        ]))
                // A turn: what the person said, and the place of the reply.
                let reply = try await chat.send("hello")
                let said = try await next(page, "message")
                #expect(said["sessionId"]?.stringValue == "\(chat.session)")
                #expect(said["message"]?["role"] == "user" && said["message"]?["content"] == "hello")
                let placed = try await next(page, "message")
                #expect(placed["message"]?["id"]?.stringValue == "\(reply.message)")
                #expect(placed["message"]?["status"] == "queued")
                // Its run.
                let job = try await chat.claim()
                let call = ProviderCall(
                    lease: job.lease, number: 1, userID: chat.person.id, sessionID: chat.session,
                    messageID: reply.message, model: "m-1", provider: "local")
                try await ReplyStore(database: chat.api.services.database, onChange: chat.api.services.notifier.changed)
                    .begin(reply.message, call, promptTokens: 1, contextLimitTokens: 10)
                let begun = try await next(page, "message")
                #expect(begun["message"]?["status"] == "streaming" && begun["message"]?["model"] == "m-1")
                try await chat.reply(["a", "b"], to: job)
                let ended = try await next(page, "message")
                let stored = try await chat.get("/api/sessions/\(chat.session)/messages")
                #expect(ended["message"] == stored.data["items"]?.arrayValue?.last)
                #expect(ended["message"]?["content"] == "ab" && ended["message"]?["status"] == "complete")
                // The title, a person's.
                let put = try await chat.api.send(
                    "PUT", "/api/sessions/\(chat.session)", #"{"title":"Ä \"title\"\n"}"#, token: chat.person.token)
                #expect(put.status == 200)
                #expect(
                    try await next(page, "title")
                        == .object([
                            "type": "title", "sessionId": .string("\(chat.session)"), "title": "Ä \"title\"\n",
                        ]))
                #expect(await other.services.hub.sessions.metrics.snapshots.value == 1)
                await page.close()
                await reply.client.close()
            }
        }
    }

    @Test(.migratedDatabase) func `a snapshot shows the job of the session wherever it stands`() async throws {
        try await ChatFixture.with(timing: Self.toldOnly) { chat in
            await chat.api.untilListening()
            let reply = try await chat.send()
            func state(_ snapshot: JSONValue) -> JSONValue? { snapshot["runningJob"]?["state"] }
            let (early, inLine) = try await watch(chat)
            #expect(inLine["leafMessageId"]?.stringValue == "\(reply.message)")
            #expect(inLine["runningJob"]?["jobId"]?.stringValue == "\(reply.job)")
            #expect(inLine["runningJob"]?["messageId"]?.stringValue == "\(reply.message)")
            #expect(state(inLine) == "ready")
            let job = try await chat.claim()
            let (late, running) = try await watch(chat)
            #expect(state(running) == "running")
            // Parked: no event says so, so all see the whole again.
            let parked = JobFailure(.rateLimited, .rateLimited, "later")
            let again = RunEnd.again(after: .seconds(3600), attemptSpent: false, hadOutput: false, failure: parked)
            _ = try await chat.api.services.queue.settle(job, again, events: [])
            for page in [early, late] { #expect(state(try await snapshot(page)) == "scheduled") }
            // Stopped: the reply has ended, and nothing is under way.
            _ = try await chat.post("/api/chat/stop", #"{"jobId":"\#(reply.job)"}"#)
            for page in [early, late] {
                let ended = try await next(page, "message")
                #expect(ended["message"]?["status"] == "incomplete")
                await page.close()
            }
            let (last, ended) = try await watch(chat)
            #expect(ended["runningJob"] == .null)
            await last.close()
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `a change that nobody was told of is found by comparing`() async throws {
        try await ChatFixture.with(timing: Self.comparing) { chat in
            await chat.api.untilListening()
            let (page, first) = try await watch(chat)
            let (second, _) = try await watch(chat)
            for title in ["one", "two"] {
                try await rename(chat, title)
                for page in [page, second] {
                    var seen = try await snapshot(page)
                    // One that was under way may come first.
                    while seen["title"]?.stringValue != title { seen = try await snapshot(page) }
                    #expect((seen["version"]?.integerValue ?? 0) > (first["version"]?.integerValue ?? 0))
                }
            }
            #expect(await chat.api.services.hub.sessions.metrics.gaps.value >= 2)
            // Then live again, unless the comparison, which is in a hurry here, finds it first.
            _ = try await chat.api.send(
                "PUT", "/api/sessions/\(chat.session)", #"{"title":"three"}"#, token: chat.person.token)
            var last = JSONValue.null
            while last["title"]?.stringValue != "three" {
                last = try JSONParser.parse(try await page.events(1)[0].data)
            }
            #expect(["title", "snapshot"].contains(last["type"]?.stringValue))
            await page.close()
            await second.close()
        }
    }

    @Test(.migratedDatabase) func `a listener that was lost is followed by a snapshot`() async throws {
        try await ChatFixture.with(timing: Self.toldOnly) { chat in
            await chat.api.untilListening()
            let (page, _) = try await watch(chat)
            for round in 0..<3 {
                // Nothing finds this: nobody is told, and nothing compares.
                try await rename(chat, "title \(round)")
                try await chat.api.services.database.pool.execute(
                    """
                    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                    WHERE application_name = 'switchyard/stream' AND datname = current_database()
                    """)
                #expect(try await snapshot(page)["title"]?.stringValue == "title \(round)")
            }
            await page.close()
        }
    }

    @Test(.migratedDatabase) func `a slow reader holds up nobody and is sent a snapshot when it has caught up`()
        async throws
    {
        try await ChatFixture.with(timing: Self.toldOnly) { chat in
            await chat.api.untilListening()
            let services = chat.api.services
            let (slow, _) = try await watch(chat, receiveBufferBytes: 4096)
            let (fast, _) = try await watch(chat)
            try await slow.pause()
            let large = String(repeating: "x", count: 200_000)
            var told = 0
            while await services.hub.sessions.metrics.overflows.value == 0 {
                told += 1
                let id: MessageID = services.ids.next()
                let version = try await services.database.pool.query(
                    """
                    WITH added AS (
                        INSERT INTO messages (id, user_id, session_id, role, content, status)
                        VALUES (\(id), \(chat.person.id), \(chat.session), 'user', \(large), 'complete')
                    )
                    UPDATE sessions SET version = version + 1 WHERE id = \(chat.session) RETURNING version
                    """
                ).decodeFirst(Int64.self)
                services.notifier.changed(
                    SessionChange(session: chat.session, version: try #require(version), kind: .messages([id])))
                #expect(try await next(fast, "message")["message"]?["id"]?.stringValue == "\(id)")
            }
            // Not the slow one's second, because that would be more than it may hold.
            #expect(told <= 3, "\(told) messages of 200 kB were held for it")
            _ = try await chat.api.send(
                "PUT", "/api/sessions/\(chat.session)", #"{"title":"at last"}"#, token: chat.person.token)
            #expect(try await next(fast, "title")["title"] == "at last")
            try await slow.resume()
            var event = try await slow.events(1)[0]
            while event.name == "message" { event = try await slow.events(1)[0] }
            #expect(event.name == "snapshot")
            #expect(try JSONParser.parse(event.data)["title"] == "at last")
            await slow.close()
            await fast.close()
        }
    }

    @Test(.migratedDatabase) func `a message too large to be told to all is left to be fetched`() async throws {
        try await ChatFixture.with(timing: Self.toldOnly) { chat in
            await chat.api.untilListening()
            let (page, first) = try await watch(chat)
            let reply = try await chat.send()
            #expect(try await next(page, "message")["message"]?["role"] == "user")
            #expect(try await next(page, "message")["message"]?["role"] == "assistant")
            let job = try await chat.claim()
            try await chat.finish(
                job, from: 1, text: String(repeating: "y", count: SessionWatchReader.maximumMessageBytes + 1))
            let again = try await snapshot(page)
            #expect((again["version"]?.integerValue ?? 0) > (first["version"]?.integerValue ?? 0))
            #expect(again["runningJob"] == .null)
            await page.close()
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase, arguments: [true, false])
    func `the stream of a session that is deleted says so and ends`(isTold: Bool) async throws {
        try await ChatFixture.with(timing: isTold ? Self.toldOnly : Self.comparing) { chat in
            await chat.api.untilListening()
            let (page, _) = try await watch(chat)
            if isTold {
                let answer = try await chat.api.send(
                    "DELETE", "/api/sessions/\(chat.session)", token: chat.person.token)
                #expect(answer.status == 200)
            } else {
                try await chat.api.services.database.pool.execute("DELETE FROM sessions WHERE id = \(chat.session)")
            }
            let last = try await page.eventsToEnd()
            #expect(last.map(\.name) == ["deleted"])
            #expect(
                try JSONParser.parse(last.first?.data ?? "")
                    == .object(["type": "deleted", "sessionId": .string("\(chat.session)")]))
            #expect(await chat.api.services.hub.sessions.watchedCount == 0)
            #expect(try await chat.get("/api/sessions/\(chat.session)/events").status == 404)
            await page.close()
        }
    }

    @Test(.migratedDatabase) func `a page that leaves is forgotten`() async throws {
        try await ChatFixture.with(timing: Self.toldOnly) { chat in
            let hub = chat.api.services.hub.sessions
            let (one, _) = try await watch(chat)
            let (two, _) = try await watch(chat)
            #expect(await hub.metrics.viewers.value == 2)
            #expect(await hub.metrics.sessions.value == 1)
            await one.close()
            await two.close()
            while await hub.watchedCount > 0 { await Task.yield() }
            #expect(await hub.metrics.viewers.value == 0)
            #expect(await hub.metrics.sessions.value == 0)
        }
    }
}
