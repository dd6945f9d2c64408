// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.timeLimit(.minutes(1)))
struct ChatStreamTests {
    @Test(.migratedDatabase) func `a message is answered with the stream of its reply`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send("hi", #","params":{"temperature":0.5,"maxTokens":9,"unknown":1}"#)
            #expect(reply.head.fields["content-type"]?.hasPrefix("text/event-stream") == true)
            #expect(reply.head.fields["cache-control"] == "no-cache, no-transform")
            #expect(reply.head.fields["x-accel-buffering"] == "no")
            #expect(reply.head.fields["x-request-id"] != nil)
            let job = try await chat.claim()
            let payload = try #require(ChatPayload(json: job.payload))
            #expect(payload.parameters == ["temperature": 0.5, "maxTokens": 9] && payload.messageID == reply.message)
            #expect(try await chat.get("/api/jobs/\(reply.job)").data["state"] == "running")
            try await chat.reply(["Hel", "lo"], to: job)
            let events = try await reply.client.eventsToEnd()
            #expect(events.map(\.name) == ["content", "content", "stop", "usage", "end", "complete"])
            #expect(events.map(\.id) == (1...6).map { "\(job.lease.number).\($0)" })

            let record = try await chat.get("/api/jobs/\(reply.job)")
            #expect(record.data["state"] == "completed" && record.data["result"]?["ok"] == true)
            #expect(record.data["kind"] == "chat" && record.data["tenant"]?.stringValue == "\(chat.person.id)")
            let thread = try await chat.get("/api/sessions/\(chat.session)/messages")
            let contents = thread.data["items"]?.arrayValue?.compactMap { $0["content"]?.stringValue }
            #expect(contents == ["hi", "Hello"])
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `the same request again is the same stream, another body with its key is refused`()
        async throws
    {
        try await ChatFixture.with { chat in
            let key = ["Idempotency-Key": "key-1"]
            let first = try await chat.send("hi", fields: key)
            let second = try await chat.send("hi", fields: key)
            #expect(second.job == first.job && second.message == first.message)
            let other = try await chat.api.send(
                "POST", "/api/chat/stream", chat.body("ho"), token: chat.person.token, fields: key)
            #expect(other.status == 422 && other.code == "idempotency_mismatch")
            try await chat.reply(["a"], to: try await chat.claim())
            let third = try await chat.send("hi", fields: key)
            #expect(third.job == first.job)
            for reply in [first, second, third] {
                let names = try await reply.client.eventsToEnd().map(\.name)
                #expect(names == ["content", "stop", "usage", "end", "complete"])
                await reply.client.close()
            }
            let jobs = try await chat.api.services.database.pool.query(
                "SELECT count(*) FROM jobs WHERE kind = 'chat'"
            ).decodeFirst(Int64.self)
            #expect(jobs == 1)
        }
    }

    @Test(.migratedDatabase) func `concurrent duplicates make one job`() async throws {
        try await ChatFixture.with { chat in
            let jobs = try await withThrowingTaskGroup(of: JobID.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let reply = try await chat.send("hi", #","clientMessageId":"m-1""#)
                        await reply.client.close()
                        return reply.job
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(jobs.count == 1)
        }
    }

    @Test(
        .migratedDatabase,
        arguments: [
            (#"{}"#, ["sessionId", "content"]),
            (#"{"sessionId":"x","content":" \n"}"#, ["sessionId", "content"]),
            (
                #"{"content":"a","params":{"temperature":3,"topP":-1,"maxTokens":0},"sessionId":"S"}"#,
                ["params.temperature", "params.topP", "params.maxTokens"]
            ),
            (
                #"{"content":"a","onBusy":"hope","fileMode":"x","parentMessageId":5,"sessionId":"S"}"#,
                ["parentMessageId", "onBusy", "fileMode"]
            ),
            (#"{"content":"a","fileIds":["0199c6f0-0000-7000-8000-000000000001"],"sessionId":"S"}"#, ["fileIds"]),
            (
                #"{"images":[{"data":"????","mime":"image/png"},{"mime":"image/tiff"}],"sessionId":"S"}"#,
                ["images[0].data", "images[1].mime", "images[1].data"]
            ),
            (#"{"images":[{"url":"file:///etc","mime":"image/png"}],"sessionId":"S"}"#, ["images[0].url"]),
            (#"{"content":"a","clientMessageId":"","sessionId":"S"}"#, ["clientMessageId"]),
            (#"{"content":"a\u0000","sessionId":"S"}"#, ["content"]),
        ])
    func `every wrong field is named`(body: String, expected: [String]) async throws {
        try await ChatFixture.with { chat in
            let answer = try await chat.post(
                "/api/chat/stream", body.replacing(#""S""#, with: "\"\(chat.session)\""))
            #expect(answer.status == 400 && answer.code == "validation_failed", "\(answer)")
            #expect(answer.wrongFields == expected)
        }
    }

    @Test(.migratedDatabase) func `what is not the person's does not exist`() async throws {
        try await ChatFixture.with { chat in
            let stranger = try await chat.api.person()
            let foreign = try await chat.post("/api/chat/stream", chat.body("a"), token: stranger.token)
            #expect(foreign.status == 404 && foreign.code == "not_found")
            let model = try await chat.post(
                "/api/chat/stream", chat.body("a", #","modelId":"0199c6f0-0000-7000-8000-000000000001""#))
            #expect(model.status == 404)
            let parent = try await chat.post(
                "/api/chat/stream", chat.body("a", #","parentMessageId":"0199c6f0-0000-7000-8000-000000000001""#))
            #expect(parent.status == 404)
            let count = try await chat.api.services.database.pool.query("SELECT count(*) FROM jobs")
                .decodeFirst(Int64.self)
            #expect(count == 0)
        }
    }

    @Test(.migratedDatabase) func `an image for a model without images is refused, for another it is kept`()
        async throws
    {
        try await ChatFixture.with { chat in
            // The header of a PNG of two by three pixels.
            let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAADUlEQVR42mNk"
            let images = #","images":[{"data":"\#(pixel)","mime":"image/png"}]"#
            let refused = try await chat.post("/api/chat/stream", chat.body("see", images))
            #expect(refused.status == 400 && refused.wrongFields == ["images"])
            let model = try await chat.post(
                "/api/models",
                #"{"name":"eyes","provider":"openai","apiUrl":"https://api.example.org/v1","model":"x","#
                    + #""apiKey":"k","supportsImages":true,"contextLimit":1000}"#)
            #expect(model.status == 201, "\(model)")
            let reply = try await chat.send("", images + #","modelId":"\#(model.id)""#)
            let stored = try await chat.api.services.messages.find(reply.userMessage, user: chat.person.id)
            guard case .image(let image)? = stored?.message.parts.first else {
                Issue.record("no image was stored")
                return
            }
            #expect(image.source == .base64(pixel) && image.width == 2 && image.height == 3)
            await reply.client.close()
            // What was accepted is the same reply when it comes again, whatever has become of its model since.
            let key = ["Idempotency-Key": "key-9"]
            let fields = images + #","modelId":"\#(model.id)""#
            let first = try await chat.send("look", fields, fields: key)
            #expect(
                try await chat.api.send("DELETE", "/api/models/\(model.id)", token: chat.person.token).status == 200)
            let again = try await chat.send("look", fields, fields: key)
            #expect(again.job == first.job)
            let other = try await chat.api.send(
                "POST", "/api/chat/stream", chat.body("hear", fields), token: chat.person.token, fields: key)
            #expect(other.status == 422)
            #expect(try await chat.post("/api/chat/stream", chat.body("look", fields)).status == 404)
            for reply in [first, again] { await reply.client.close() }
        }
    }

    @Test(.migratedDatabase) func `a busy session queues, rejects or interrupts`() async throws {
        try await ChatFixture.with { chat in
            let first = try await chat.send("one")
            let rejected = try await chat.post("/api/chat/stream", chat.body("two", #","onBusy":"reject""#))
            #expect(rejected.status == 409 && rejected.code == "session_busy")
            let second = try await chat.send("two")
            let queued = try await second.client.events(1)[0]
            #expect(queued.id == "0.2" && queued.name == "queued" && queued.data.contains("session_busy"))
            let third = try await chat.send("three", #","onBusy":"interrupt""#)
            for reply in [first, second] {
                let events = try await reply.client.eventsToEnd()
                #expect(events.map(\.name) == ["stop", "usage", "end", "complete"])
                #expect(events.last?.data.contains(#""finishReason":"cancelled""#) == true)
                #expect(try await chat.get("/api/jobs/\(reply.job)").data["state"] == "cancelled")
            }
            let job = try await chat.claim()
            #expect(job.lease.job == third.job)
            try await chat.reply(["ok"], to: job)
            #expect(try await third.client.eventsToEnd().last?.name == "complete")
            for reply in [first, second, third] { await reply.client.close() }
        }
    }

    @Test(.migratedDatabase) func `heartbeats come from the first byte on`() async throws {
        try await ChatFixture.with(settings: [.sseHeartbeatIntervalMilliseconds: 250]) { chat in
            let reply = try await chat.send("one")
            async let end = reply.client.eventsToEnd()
            while await reply.client.pings < 2 { await Task.yield() }
            try await chat.reply(["ok"], to: try await chat.claim())
            #expect(try await end.last?.name == "complete")
            await reply.client.close()
        }
    }
}
