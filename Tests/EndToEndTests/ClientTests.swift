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
