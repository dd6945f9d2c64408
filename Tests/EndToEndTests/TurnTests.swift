// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct TurnTests {
        private static let long = simulate(["tokens": 100, "itl": "10ms"])
        private static let short = simulate(["tokens": 10])

        @Test func `a second message waits for the first reply and is answered under it`() async throws {
            try await Deployment.with(.all) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let first = try await client.post(Self.long, to: session)
                let begun = try await first.read(pieces: 2)
                let second = try await client.post(Self.short, to: session)
                let waiting = try await second.read { $0.event == "queued" }
                #expect(waiting.last("queued")?.id == "0.2")
                let firstReply = try await first.read(into: begun)
                let secondReply = try await second.read(into: waiting)
                #expect(firstReply.shape == ReplyTests.finishedShape)
                #expect(secondReply.shape == ["start", "queued"] + ReplyTests.finishedShape.dropFirst())
                #expect(firstReply.violations + secondReply.violations == [])
                let ended = try #require(firstReply.frames.last?.receivedAt)
                let began = try #require(secondReply.frames.first { $0.event == "content" }?.receivedAt)
                #expect(began >= ended - .milliseconds(20))
                let thread = try await client.messages(of: session)
                #expect(thread.map { $0["role"]?.stringValue } == ["user", "assistant", "user", "assistant"])
                #expect(thread.count == 4 && thread[2]["parentMessageId"]?.stringValue == firstReply.messageID)
                // The first reply is part of what the second was asked with.
                let asked = deployment.simulator.requests.map(\.text)
                #expect(asked.contains { $0.contains(String(firstReply.text.prefix(200))) })
            }
        }

        @Test func `a busy session can refuse a message`() async throws {
            try await Deployment.with(.all) { _, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let first = try await client.post(Self.long, to: session)
                let begun = try await first.read(pieces: 2)
                let refusal = await #expect(throws: APIClient.Answer.self) {
                    _ = try await client.post(Self.short, to: session, ["onBusy": "reject"])
                }
                #expect(refusal?.status == 409)
                #expect(refusal?.code == "session_busy")
                #expect(try await first.read(into: begun).shape == ReplyTests.finishedShape)
                #expect(try await client.messages(of: session).count == 2)
            }
        }

        @Test func `a message can interrupt what runs and what waits`() async throws {
            try await Deployment.with(.serve, .work) { _, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let running = try await client.post(simulate(["tokens": 3000, "itl": "10ms"]), to: session)
                let begun = try await running.read(pieces: 2)
                let waiting = try await client.post(Self.short, to: session)
                let last = try await client.post(Self.short, to: session, ["onBusy": "interrupt"])
                let stopped = try await running.read(into: begun)
                #expect(stopped.last("stop")?["reason"] == "cancelled")
                #expect(stopped.shape == ReplyTests.finishedShape)
                let neverRun = try await waiting.read()
                #expect(neverRun.shape.suffix(4) == ["stop", "usage", "end", "complete"])
                #expect(neverRun.last("stop")?["reason"] == "cancelled")
                #expect(neverRun.text == "")
                let reply = try await last.read()
                #expect(reply.text.split(separator: " ").count == 10)
                #expect(stopped.violations + neverRun.violations + reply.violations == [])
            }
        }

        @Test func `the same request again gives the same stream and no second reply`() async throws {
            try await Deployment.with(.serve, .serve, .work) { deployment, processes in
                let (here, there) = (try await processes[0].client(), try await processes[1].client())
                let session = try await here.newSession(model: Deployment.model)
                async let one = here.post(Self.long, to: session, key: "k1")
                async let two = there.post(Self.long, to: session, key: "k1")
                let (first, second) = (try await one, try await two)
                #expect(first.jobID == second.jobID)
                #expect(first.messageID == second.messageID)
                let reply = try await first.read()
                #expect(try await second.read().logged == reply.logged)
                let afterwards = try await there.post(Self.long, to: session, key: "k1")
                #expect(try await afterwards.read().logged == reply.logged)
                let refusal = await #expect(throws: APIClient.Answer.self) {
                    _ = try await here.post(Self.short, to: session, key: "k1")
                }
                #expect(refusal?.status == 422)
                #expect(refusal?.code == "idempotency_mismatch")
                let named = try await here.post(Self.short, to: session, ["clientMessageId": "m1"])
                let again = try await there.post(Self.short, to: session, ["clientMessageId": "m1"])
                #expect(named.jobID == again.jobID)
                _ = try await named.read()
                #expect(try await here.messages(of: session).count == 4)
            }
        }

        @Test func `a job is shown and can be cancelled while it waits and while it runs`() async throws {
            try await Deployment.with(.serve) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let early = try await client.post(Self.long, to: session)
                #expect(try await client.call("GET", "/api/jobs/\(early.jobID)")["state"] == "ready")
                let cancelled = try await client.call("POST", "/api/jobs/\(early.jobID)/cancel")
                #expect(cancelled["state"] == "cancelled")
                let earlyReply = try await early.read()
                #expect(earlyReply.shape.suffix(4) == ["stop", "usage", "end", "complete"])
                _ = try await deployment.start(.work)
                let stream = try await client.post(Self.long, to: session)
                let begun = try await stream.read(pieces: 2)
                let job = try await client.call("GET", "/api/jobs/\(stream.jobID)")
                #expect(job["state"] == "running")
                #expect(job["kind"] == "chat")
                _ = try await client.call("POST", "/api/jobs/\(stream.jobID)/cancel")
                let reply = try await stream.read(into: begun)
                #expect(reply.last("stop")?["reason"] == "cancelled")
                #expect(try await client.call("GET", "/api/jobs/\(stream.jobID)")["state"] == "cancelled")
                let events = try await client.stream("GET", "/api/jobs/\(stream.jobID)/events").read()
                #expect(events.logged == reply.logged)
                let unknown = "0190a0b0-0000-7000-8000-000000000000"
                #expect(try await client.send("GET", "/api/jobs/\(unknown)").status == 404)
                #expect(try await client.send("POST", "/api/jobs/\(unknown)/cancel").status == 404)
            }
        }

        @Test func `a completion waits for the stored reply`() async throws {
            try await Deployment.with(.all) { _, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let answer = try await client.call(
                    "POST", "/api/chat/completion",
                    ["sessionId": .string(session), "content": .string(simulate(["tokens": 12]))])
                #expect(answer["content"]?.stringValue?.split(separator: " ").count == 12)
                #expect(answer["finishReason"] == "stop")
                let id = answer["messageId"]?.stringValue ?? ""
                #expect(try await client.message(id, of: session)["content"] == answer["content"])
            }
        }
    }
}
