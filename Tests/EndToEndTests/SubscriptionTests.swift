// SPDX-License-Identifier: Apache-2.0
import JSON
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct SubscriptionTests {
        @Test func `whoever subscribes before, during or after a run, or when its log is gone, has the same text`()
            async throws
        {
            try await Deployment.with(.serve, .serve) { deployment, processes in
                let (here, there) = (try await processes[0].client(), try await processes[1].client())
                let session = try await here.newSession(model: Deployment.model, title: "Readers")
                let stream = try await here.post(simulate(["tokens": 120, "itl": "10ms"]), to: session)
                let before = try await there.attach(to: stream.messageID)
                _ = try await deployment.start(.work)
                async let early = before.read()
                let begun = try await stream.read(pieces: 10)
                async let during = there.attach(to: stream.messageID).read()
                async let onwards = there.attach(to: stream.messageID, after: begun.cursor).read(into: begun)
                let live = try await stream.read(into: begun)
                let after = try await there.attach(to: stream.messageID).read()
                #expect(live.shape == ReplyTests.finishedShape)
                for reply in [live, try await early, try await during, try await onwards, after] {
                    #expect(reply.violations == [])
                    #expect(reply.logged == live.logged)
                }
                try await deployment.withConnection { connection in
                    try await connection.execute("DELETE FROM events WHERE job::text = \(stream.jobID)")
                }
                // From the start, and with a part of it known, whose place in the log nobody remembers.
                let late = try await there.attach(to: stream.messageID).read()
                let resumed = try await there.attach(to: stream.messageID, after: begun.cursor).read(into: begun)
                for reply in [late, resumed] {
                    #expect(reply.isOver)
                    #expect(reply.text == live.text)
                    #expect(reply.last("complete")?["finishReason"] == "stop")
                }
            }
        }

        @Test func `a run that hangs past its deadline is ended from outside, and its session goes on`() async throws {
            try await Deployment.with(.serve, .work) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model, title: "Hung")
                let hung = try await client.post(
                    simulate(["tokens": 20, "fault": "stall", "after": 5, "itl": "1ms"]), to: session)
                let begun = try await hung.read(pieces: 1)
                let behind = try await client.post(simulate(["tokens": 5]), to: session)
                // Fifteen minutes later, as far as the database knows.
                try await deployment.withConnection { connection in
                    try await connection.execute(
                        "UPDATE running SET deadline = deadline - interval '16 minutes' WHERE job::text = \(hung.jobID)"
                    )
                }
                let reply = try await hung.read(into: begun)
                #expect(reply.frames.last?.event == "error")
                #expect(reply.frames.last?["code"] == "deadline_exceeded")
                #expect(reply.violations == [])
                let stored = try await client.message(reply.messageID, of: session)
                #expect(stored["content"]?.stringValue == reply.text)
                #expect(reply.text.split(separator: " ").count == 5)
                #expect(try await behind.read().last("complete") != nil)
                #expect(try await client.call("GET", "/api/jobs/\(hung.jobID)")["state"] == "failed")
                try await deployment.everythingEnded()
            }
        }
    }
}
