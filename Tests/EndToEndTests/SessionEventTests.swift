// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct SessionEventTests {
        @Test func `a page on another process sees the messages and the title of a session`() async throws {
            try await Deployment.with(.serve, .serve, .work) { _, processes in
                let (here, there) = (try await processes[0].client(), try await processes[1].client())
                let session = try await here.newSession(model: "local")
                // A page that came before the listener has a snapshot for what it missed.
                while try await there.call("GET", "/api/settings/health")["listener"] != "up" {}
                let page = try await there.stream("GET", "/api/sessions/\(session)/events")
                let opened = try await page.read { $0.event == "snapshot" }
                #expect(opened.frames.first?["titleSource"] == "default")
                #expect(opened.frames.first?.data["runningJob"] == .null)
                let stream = try await here.post("The weather in Lisbon", to: session)
                let reply = try await stream.read()
                let stored = try await here.message(reply.messageID, of: session)
                #expect(stored["status"] == "complete")
                func message(_ frame: EventFrame) -> JSONValue { frame.data["message"] ?? .null }
                var (isWhole, isTitled) = (false, false)
                let seen = try await page.read(into: opened) { frame in
                    if frame.event == "title" { isTitled = true }
                    if frame.event == "message", message(frame)["status"] == "complete",
                        message(frame)["role"] == "assistant"
                    {
                        isWhole = true
                    }
                    return isWhole && isTitled
                }
                #expect(seen.frames.allSatisfy { $0.id == nil && $0["sessionId"] == session })
                let messages = seen.frames.filter { $0.event == "message" }.map(message)
                #expect(messages.first?["content"] == "The weather in Lisbon")
                // One that changes again before it is read is sent as it is then.
                let order: [String?] = ["queued", "streaming", "complete"]
                let places = messages.dropFirst().map { order.firstIndex(of: $0["status"]?.stringValue) ?? -1 }
                #expect(places.count <= 3 && places.allSatisfy { $0 >= 0 } && places == places.sorted())
                #expect(messages.last == stored)
                let title = try await here.call("GET", "/api/sessions/\(session)")["title"]
                #expect(seen.last("title")?.data["title"] == title)
                // One page more begins where things stand.
                let late = try await there.stream("GET", "/api/sessions/\(session)/events")
                let snapshot = try await late.read { $0.event == "snapshot" }.frames.first
                #expect(snapshot?.data["title"] == title)
                #expect(snapshot?["leafMessageId"] == reply.messageID)
                // The session goes, and the pages are told.
                _ = try await here.call("DELETE", "/api/sessions/\(session)")
                for stream in [page, late] {
                    #expect(try await stream.read().frames.last?.event == "deleted")
                }
                #expect(try await there.send("GET", "/api/sessions/\(session)/events").status == 404)
            }
        }

        @Test func `who waits for a worker is told so, and who does not wait is not`() async throws {
            try await Deployment.with(.serve) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model, title: "Waiting")
                let stream = try await client.post(simulate(["tokens": 5]), to: session)
                let waiting = try await stream.read { $0.event == "queued" }
                #expect(waiting.last("queued")?.id == nil)
                #expect(waiting.last("queued")?["reason"] == "workers_busy")
                #expect(waiting.last("queued")?.data["position"] == 0)
                _ = try await deployment.start(.work)
                let reply = try await stream.read(into: waiting)
                #expect(reply.shape == ["start", "queued"] + ReplyTests.finishedShape.dropFirst())
                let next = try await client.post(simulate(["tokens": 5, "ttft": "2500ms"]), to: session).read()
                #expect(next.shape == ReplyTests.finishedShape)
                #expect(next.violations == [])
            }
        }
    }
}
