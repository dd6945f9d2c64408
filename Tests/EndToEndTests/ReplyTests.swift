// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct ReplyTests {
        static let finishedShape = ["start", "usage", "content", "stop", "usage", "end", "complete"]

        @Test(arguments: ["local", Deployment.model])
        func `a reply comes in the fixed order of frames and is stored as the client has it`(model: String) async throws
        {
            try await Deployment.with(.all) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: model)
                let question = model == "local" ? "hello" : simulate(["tokens": 30])
                let stream = try await client.post(question, to: session)
                let reply = try await stream.read()
                #expect(reply.shape == Self.finishedShape)
                #expect(reply.violations == [])
                #expect(reply.frames.first?.id == "0.1")
                #expect(reply.frames.first?["sessionId"] == session)
                #expect(reply.frames.first?["jobId"] == stream.jobID)
                #expect(reply.frames.first?.data["attempt"] == 1)
                #expect(reply.messageID == stream.messageID)
                #expect(reply.last("complete")?["finishReason"] == "stop")
                #expect(reply.last("usage")?.data["usage"]?["estimated"] == false)
                let message = try await client.message(reply.messageID, of: session)
                #expect(message["content"]?.stringValue == reply.text)
                #expect(message["status"] == "complete")
                #expect(!reply.text.isEmpty)
                if model == Deployment.model {
                    #expect(deployment.simulator.requests.first?.fields["authorization"] == "Bearer sk-simulated")
                }
            }
        }

        @Test func `the first exchange gives the session its title`() async throws {
            try await Deployment.with(.all) { _, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: "local")
                _ = try await client.post("The weather in Lisbon", to: session).read()
                let stored = try await client.session(session) { $0["titleSource"] == "generated" }
                #expect(stored["title"]?.stringValue?.contains("Lisbon") == true)
            }
        }

        @Test func `a replay on another process equals the live stream byte for byte from every cursor`() async throws {
            try await Deployment.with(.serve, .serve, .work, .work) { _, processes in
                let (here, there) = (try await processes[0].client(), try await processes[1].client())
                let session = try await here.newSession(model: Deployment.model)
                let stream = try await here.post(simulate(["tokens": 40, "itl": "5ms"]), to: session)
                let begun = try await stream.read(pieces: 3)
                // During the run from here and there on, then to the end.
                async let early = there.attach(to: stream.messageID).read()
                async let late = there.attach(to: stream.messageID, after: begun.cursor).read(into: begun)
                let live = try await stream.read(into: begun)
                #expect(live.shape == Self.finishedShape)
                #expect(try await early.logged == live.logged)
                #expect(try await late.logged == live.logged)
                for (index, frame) in live.frames.enumerated() where frame.id != nil {
                    let rest = try await there.attach(to: stream.messageID, after: frame.id).read()
                    #expect(rest.logged == live.frames[(index + 1)...].filter { $0.id != nil }.map(\.text))
                }
                #expect(live.violations == [])
            }
        }
    }
}
