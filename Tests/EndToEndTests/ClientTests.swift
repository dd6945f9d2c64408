// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct ClientTests {
        @Test(arguments: ["messageId", "sessionId", "jobId"])
        func `a stopped reply ends within a second, keeps its text and closes the provider's connection`(
            by member: String
        ) async throws {
            try await Deployment.with(.serve, .work) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let stream = try await client.post(simulate(["tokens": 2000, "itl": "10ms"]), to: session)
                let begun = try await stream.read(pieces: 5)
                let ids = ["messageId": stream.messageID, "sessionId": session, "jobId": stream.jobID]
                let asked = ContinuousClock.now
                let answer = try await client.call(
                    "POST", "/api/chat/stop", .object([member: .string(ids[member] ?? "")]))
                #expect(answer["stopped"] == 1)
                let reply = try await stream.read(into: begun)
                await deployment.simulator.connectionsClosedByClient()
                #expect(asked.duration(to: .now) < .seconds(1))
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(reply.violations == [])
                #expect(reply.last("stop")?["reason"] == "cancelled")
                #expect(reply.last("complete")?["finishReason"] == "cancelled")
                let message = try await client.message(reply.messageID, of: session)
                #expect(message["status"] == "incomplete")
                #expect(message["finishReason"] == "cancelled")
                #expect(message["content"]?.stringValue == reply.text)
                #expect(try await client.call("GET", "/api/jobs/\(stream.jobID)")["state"] == "cancelled")
                let again = try await client.call("POST", "/api/chat/stop", ["messageId": .string(stream.messageID)])
                #expect(again["stopped"] == 0)
            }
        }

        @Test func `a client that vanishes changes nothing`() async throws {
            try await Deployment.with(.all) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let stream = try await client.post(simulate(["tokens": 100, "itl": "5ms"]), to: session)
                let begun = try await stream.read(pieces: 3)
                await stream.close()
                await deployment.simulator.tokensSent(80)
                let reply = try await client.attach(to: stream.messageID, after: begun.cursor).read(into: begun)
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(reply.violations == [])
                #expect(reply.text.split(separator: " ").count == 100)
                let afterwards = try await client.attach(to: stream.messageID, after: reply.cursor).read()
                #expect(afterwards.frames.isEmpty)
            }
        }

        @Test func `a client that reads byte by byte costs bounded memory, slows nobody and gets everything`()
            async throws
        {
            try await Deployment.with(.serve, .work) { _, processes in
                let client = try await processes[0].client()
                // A first reply of that size, so that what is made once is made.
                let first = try await client.newSession(model: Deployment.model, title: "First")
                _ = try await client.post(simulate(["tokens": 2600, "pad": 500]), to: first).read()
                let before = try processes[0].residentBytes()
                let session = try await client.newSession(model: Deployment.model, title: "Slow")
                let slow = try await client.post(
                    simulate(["tokens": 2600, "pad": 500, "itl": "1ms"]), to: session, receiveBufferBytes: 4096)
                try await slow.exchange.drip(bytes: 1, every: .milliseconds(5))
                // Meanwhile somebody else's replies come as ever.
                let other = try await client.newSession(model: Deployment.model, title: "Other")
                for _ in 0..<3 {
                    let asked = ContinuousClock.now
                    let reply = try await client.post(simulate(["tokens": 50, "itl": "1ms"]), to: other).read()
                    #expect(reply.shape == ReplyTests.finishedShape)
                    #expect(asked.duration(to: .now) < .seconds(5))
                }
                _ = try await client.job(slow.jobID, within: .seconds(40)) { $0["state"] == "completed" }
                let after = try processes[0].residentBytes()
                #expect(after - before < 16 << 20, "grew by \(after - before) bytes")
                Attachment.record("\(after - before)", named: "growth.txt")
                // It is still there, and in its own time has all of it.
                try await slow.exchange.resume()
                let late = try await slow.read(within: .seconds(40))
                #expect(late.violations == [])
                #expect(late.shape == ReplyTests.finishedShape)
                #expect(late.bytes.count > 1 << 20)
                let stored = try await client.message(slow.messageID, of: session)
                #expect(stored["content"]?.stringValue == late.text)
            }
        }

        @Test func `a client that takes nothing for long is disconnected and can re-attach`() async throws {
            try await Deployment.with(.serve, .work, environment: ["CLIENT_STALL_TIMEOUT_MS": "500"]) { _, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model, title: "Stalled")
                let stream = try await client.post(
                    simulate(["tokens": 2000, "pad": 500]), to: session, receiveBufferBytes: 4096)
                try await stream.exchange.pause()
                _ = try await client.job(stream.jobID, within: .seconds(40)) { $0["state"] == "completed" }
                let metrics = HTTPMetrics(client: client)
                try await metrics.wait(for: "switchyard_stream_subscribers", toBe: 0)
                // What was on its way it still gets, then the connection ends without a last frame.
                try await stream.exchange.resume()
                var reply = Reply()
                await #expect(throws: HTTPExchange.Broken.self) {
                    while let frame = try await stream.exchange.frame() { reply.take(frame) }
                }
                #expect(!reply.isOver)
                let whole = try await client.attach(to: stream.messageID, after: reply.cursor).read(into: reply)
                #expect(whole.violations == [])
                #expect(whole.isOver)
                let stored = try await client.message(stream.messageID, of: session)
                #expect(stored["content"]?.stringValue == whole.text)
            }
        }

        @Test func `readers that do not read cost no memory and slow nobody`() async throws {
            try await Deployment.with(.serve, .work) { _, processes in
                let client = try await processes[0].client()
                // A first reply, so that what is made once is made.
                let first = try await client.newSession(model: Deployment.model)
                _ = try await client.post(simulate(["tokens": 5000]), to: first).read()
                let before = try processes[0].residentBytes()
                var stalled: [ReplyStream] = []
                for _ in 0..<10 {
                    let session = try await client.newSession(model: Deployment.model, title: "Slow")
                    let stream = try await client.post(
                        simulate(["tokens": 8000, "itl": "500us"]), to: session, receiveBufferBytes: 4096)
                    try await stream.exchange.pause()
                    stalled.append(stream)
                }
                for stream in stalled {
                    _ = try await client.job(stream.jobID, within: .seconds(40)) { $0["state"] == "completed" }
                }
                let session = try await client.newSession(model: Deployment.model)
                let reply = try await client.post(simulate(["tokens": 50, "itl": "1ms"]), to: session).read()
                #expect(reply.shape == ReplyTests.finishedShape)
                let after = try processes[0].residentBytes()
                #expect(after - before < 24 << 20, "grew by \(after - before) bytes")
                Attachment.record("\(after - before)", named: "growth.txt")
                // One of them wakes up and has everything in the end.
                try await stalled[0].exchange.resume()
                let late = try await stalled[0].read(within: .seconds(40))
                #expect(late.violations == [])
                #expect(late.text.split(separator: " ").count == 8000)
                for stream in stalled { await stream.close() }
            }
        }
    }
}

/// The metrics of one process.
private struct HTTPMetrics {
    struct Late: Error { let lines: [String] }

    let client: APIClient

    /// Asks again and again until a metric without labels has this value.
    func wait(for name: String, toBe value: Int, within patience: Duration = .seconds(20)) async throws {
        let deadline = ContinuousClock.now + patience
        while true {
            let text = try await client.send("GET", "/metrics").json.stringValue ?? ""
            let lines = text.split(separator: "\n")
            if lines.contains("\(name) \(value)") { return }
            if .now > deadline { throw Late(lines: lines.filter { $0.contains(name) }.map(String.init)) }
        }
    }
}
