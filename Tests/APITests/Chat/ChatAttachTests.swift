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
struct ChatAttachTests {
    @Test(.migratedDatabase) func `a stream goes on from every cursor, by message and by job`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let job = try await chat.claim()
            try await chat.publish(job, from: 1, [.content("a")])
            _ = try await reply.client.events(1)
            let paths = ["/api/chat/stream/\(reply.message)", "/api/jobs/\(reply.job)/events"]
            // While it runs.
            let cursor = "\(job.lease.number).1"
            let (early, _) = try await chat.open("GET", paths[1] + "?after=0.\(Int32.max)")
            let (running, _) = try await chat.open("GET", paths[0] + "?after=0.1", fields: ["Last-Event-ID": cursor])
            try await chat.publish(job, from: 2, [.content("b")])
            #expect(try await running.events(1)[0].id == "\(job.lease.number).2")
            // And after it.
            try await chat.finish(job, from: 3, text: "ab")
            let all = ["0.1"] + (1...6).map { "\(job.lease.number).\($0)" }
            #expect(try await running.eventsToEnd().map(\.id) == Array(all[3...]))
            #expect(try await early.eventsToEnd().map(\.id) == Array(all[1...]))
            await early.close()
            for path in paths {
                let (whole, head) = try await chat.open("GET", path)
                #expect(try await whole.eventsToEnd().map(\.id) == all)
                #expect(head.fields["x-job-id"] == "\(reply.job)")
                await whole.close()
                for (index, id) in all.enumerated() {
                    let (rest, _) = try await chat.open("GET", path + "?after=\(id)")
                    #expect(try await rest.eventsToEnd().map(\.id) == Array(all[(index + 1)...]))
                    await rest.close()
                }
                // Beyond what there is: an orderly end.
                let (beyond, _) = try await chat.open("GET", path, fields: ["Last-Event-ID": "\(job.lease.number).99"])
                #expect(try await beyond.eventsToEnd().isEmpty)
                await beyond.close()
                // The last places there are, which nothing can follow but what a later lease brings.
                let last = Int32.max
                let (later, _) = try await chat.open("GET", path + "?after=0.\(last)")
                #expect(try await later.eventsToEnd().map(\.id) == Array(all[1...]))
                await later.close()
                let (none, _) = try await chat.open("GET", path + "?after=\(job.lease.number).\(last)")
                #expect(try await none.eventsToEnd().isEmpty)
                await none.close()
            }
            await running.close()
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase, arguments: [false, true])
    func `a reader goes on after events that a crash took back with their worker`(hasEnded: Bool) async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let lost = try await chat.claim()
            _ = try await chat.api.services.queue.rescue(chat.worker)
            let job = try await chat.claim()
            try await chat.publish(
                job, from: 1, [.restart(StreamRestart(attempt: 2, reason: "worker_lost", keptBytes: 0))])
            if hasEnded { try await chat.finish(job, from: 2, text: "") }
            let (rest, head) = try await chat.open(
                "GET", "/api/chat/stream/\(reply.message)?after=\(lost.lease.number).7")
            #expect(head.status == 200)
            if !hasEnded { try await chat.finish(job, from: 2, text: "") }
            #expect(try await rest.eventsToEnd().map(\.id) == (1...5).map { "\(job.lease.number).\($0)" })
            await rest.close()
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `a cursor that cannot be is refused, and so is a stranger`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let path = "/api/chat/stream/\(reply.message)"
            for cursor in ["x", "1", "1.2.3", "-1.0", "01.1", "77.1"] {
                let answer = try await chat.get(path + "?after=\(cursor)")
                #expect(answer.status == 400 && answer.wrongFields == ["after"], "\(cursor) \(answer)")
            }
            let header = try await chat.api.send(
                "GET", path, token: chat.person.token, fields: ["Last-Event-ID": "nonsense"])
            #expect(header.status == 400 && header.wrongFields == ["Last-Event-ID"])
            let stranger = try await chat.api.person()
            for target in [path, "/api/jobs/\(reply.job)/events", "/api/jobs/\(reply.job)"] {
                #expect(try await chat.get(target, token: stranger.token).status == 404)
            }
            #expect(try await chat.get("/api/chat/stream/\(reply.userMessage)").status == 404)
            #expect(try await chat.get("/api/chat/stream/nothing").status == 404)
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `when the log is gone the stream is made of the stored message`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let job = try await chat.claim()
            try await chat.reply(["Hel", "lo"], to: job)
            _ = try await reply.client.eventsToEnd()
            await reply.client.close()
            let path = "/api/chat/stream/\(reply.message)"
            for loss in ["lease = 0", "true"] as [StaticString] {
                try await chat.forgetEvents(where: loss)
                let (fresh, _) = try await chat.open("GET", path)
                let events = try await fresh.eventsToEnd()
                #expect(events.map(\.name) == ["content", "complete"])
                #expect(events[0].data == #"{"type":"content","content":"Hello"}"#)
                #expect(events[1].data.contains(#""contentLength":5"#))
                #expect(events[1].data.contains(#""prompt_tokens":7"#))
                await fresh.close()
                let (again, _) = try await chat.open("GET", path, fields: ["Last-Event-ID": events[1].id])
                #expect(try await again.eventsToEnd().isEmpty)
                await again.close()
            }
            let (continued, _) = try await chat.open("GET", path + "?after=\(job.lease.number).1")
            let events = try await continued.eventsToEnd()
            #expect(events.map(\.name) == ["restart", "content", "complete"])
            #expect(events[0].data.contains(#""keep":0"#))
            await continued.close()
            #expect(try await chat.get(path + "?after=\(Int64.max).1").status == 400)
        }
    }

    @Test(.migratedDatabase) func `a repeated message whose log is gone is answered from the stored reply`()
        async throws
    {
        try await ChatFixture.with { chat in
            let key = ["Idempotency-Key": "k"]
            let reply = try await chat.send(fields: key)
            try await chat.reply(["Hel", "lo"], to: try await chat.claim())
            _ = try await reply.client.eventsToEnd()
            await reply.client.close()
            try await chat.forgetEvents(where: "true")
            let (again, head) = try await chat.open("POST", "/api/chat/stream", chat.body("hello"), fields: key)
            #expect(head.fields["x-message-id"] == "\(reply.message)")
            #expect(try await again.eventsToEnd().map(\.name) == ["content", "complete"])
            await again.close()
        }
    }

    @Test(.migratedDatabase) func `a failed reply whose log is gone ends with its error`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            try await chat.reply([], to: try await chat.claim(), failure: StreamFailure(code: .contextLength))
            #expect(try await reply.client.eventsToEnd().map(\.name) == ["error"])
            await reply.client.close()
            try await chat.forgetEvents(where: "true")
            let (client, _) = try await chat.open("GET", "/api/jobs/\(reply.job)/events")
            let events = try await client.eventsToEnd()
            #expect(events.map(\.name) == ["error"] && events[0].data.contains("context_length"))
            await client.close()
        }
    }
}
