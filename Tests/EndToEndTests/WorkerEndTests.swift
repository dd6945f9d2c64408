// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct WorkerEndTests {
        @Test func `a killed worker's reply begins again elsewhere and other replies are untouched`() async throws {
            try await Deployment.with(.serve, .work) { deployment, processes in
                let client = try await processes[0].client()
                let doomed = try await client.newSession(model: Deployment.model)
                let stream = try await client.post(simulate(["tokens": 400, "itl": "10ms"]), to: doomed)
                let begun = try await stream.read(pieces: 5)
                // The doomed worker stands still when the second reply begins, so that the other has it.
                let rescuer = try await deployment.start(.work)
                let safe = try await client.newSession(model: Deployment.model)
                processes[1].suspend()
                let other = try await client.post(simulate(["tokens": 300, "itl": "10ms"]), to: safe)
                let otherBegun = try await other.read(pieces: 5)
                processes[1].kill()
                let killed = ContinuousClock.now
                let restarted = try await stream.read(into: begun) { $0.event == "restart" }
                let restart = try #require(restarted.frames.last)
                let pause = killed.duration(to: restart.receivedAt)
                let reply = try await stream.read(into: restarted, within: .seconds(30))
                let otherReply = try await other.read(into: otherBegun, within: .seconds(30))
                #expect(pause < .seconds(5), "\(pause)")
                #expect(reply.shape.suffix(5) == ["content", "stop", "usage", "end", "complete"])
                #expect(reply.violations == [])
                #expect(otherReply.shape == ReplyTests.finishedShape)
                #expect(otherReply.violations == [])
                #expect(try await client.message(reply.messageID, of: doomed)["content"]?.stringValue == reply.text)
                let otherStored = try await client.message(otherReply.messageID, of: safe)
                #expect(otherStored["content"]?.stringValue == otherReply.text)
                #expect(reply.text.split(separator: " ").count == 400)
                #expect(rescuer.child.isRunning)
                Attachment.record("\(pause)", named: "rescue.txt")
            }
        }

        @Test func `what a worker does that was stopped beyond its lease counts no more`() async throws {
            try await Deployment.with(.serve, .work, mayLogErrors: true) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model, title: "Stopped")
                let stream = try await client.post(simulate(["tokens": 300, "itl": "10ms"]), to: session)
                let begun = try await stream.read(pieces: 5)
                _ = try await deployment.start(.work)
                processes[1].suspend()
                let restarted = try await stream.read(into: begun, within: .seconds(30)) { $0.event == "restart" }
                // All its tokens have come by now, and it goes on as if no time had passed.
                processes[1].resume()
                let reply = try await stream.read(into: restarted)
                #expect(reply.violations == [])
                #expect(reply.shape.suffix(5) == ["content", "stop", "usage", "end", "complete"])
                #expect(reply.text.split(separator: " ").count == 300)
                #expect(try await client.message(reply.messageID, of: session)["content"]?.stringValue == reply.text)
                let replay = try await client.attach(to: reply.messageID).read()
                #expect(replay.logged == reply.logged)
                // It works on.
                let next = try await client.post(simulate(["tokens": 10]), to: session).read()
                #expect(next.shape == ReplyTests.finishedShape)
                #expect(processes[1].child.isRunning)
            }
        }

        @Test func `a reply that ends within the grace is not disturbed by the worker's end`() async throws {
            try await Deployment.with(.serve, .work) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let stream = try await client.post(simulate(["tokens": 60, "itl": "20ms"]), to: session)
                let begun = try await stream.read(pieces: 3)
                processes[1].terminate()
                let reply = try await stream.read(into: begun)
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(reply.violations == [])
                #expect(await processes[1].child.exitStatus() == .exited(0))
                #expect(try await client.message(reply.messageID, of: session)["content"]?.stringValue == reply.text)
                #expect(deployment.simulator.requests.count { $0.path.hasSuffix("completions") } >= 1)
            }
        }

        @Test func `a reply that outlasts the grace goes on elsewhere as the same attempt`() async throws {
            let environment = ["SHUTDOWN_GRACE_MS": "100"]
            try await Deployment.with(.serve, .work, environment: environment) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let stream = try await client.post(simulate(["tokens": 200, "itl": "10ms"]), to: session)
                let begun = try await stream.read(pieces: 5)
                _ = try await deployment.start(.work)
                processes[1].terminate()
                let reply = try await stream.read(into: begun)
                #expect(await processes[1].child.exitStatus() == .exited(0))
                #expect(reply.violations == [])
                #expect(reply.shape.suffix(5) == ["content", "stop", "usage", "end", "complete"])
                #expect(reply.last("restart")?.data["attempt"] == 1)
                #expect(reply.text.split(separator: " ").count == 200)
                #expect(try await client.message(reply.messageID, of: session)["content"]?.stringValue == reply.text)
                let job = try await client.call("GET", "/api/jobs/\(stream.jobID)")
                #expect(job["attempt"] == 1)
                #expect(job["state"] == "completed")
            }
        }
    }
}
