// SPDX-License-Identifier: Apache-2.0
import JSON
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// What providers do to us, seen by the client of a reply.
    @Suite(.timeLimit(.minutes(1))) struct ProviderFaultTests {
        static let environment = ["PROVIDER_MAX_IDLE_MS": "700"]

        /// Runs one reply against a scenario.
        private func reply(
            to scenario: JSONObject,
            _ check: (Reply, _ message: JSONValue, _ job: JSONValue, Deployment) async throws -> Void
        ) async throws {
            try await Deployment.with(.all, environment: Self.environment) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model, title: "Faults")
                let stream = try await client.post(simulate(scenario), to: session)
                let reply = try await stream.read(within: .seconds(30))
                #expect(reply.violations == [])
                #expect(reply.isOver)
                let message = try await client.message(stream.messageID, of: session)
                if reply.last("complete") != nil { #expect(message["content"]?.stringValue == reply.text) }
                try await check(
                    reply, message, try await client.call("GET", "/api/jobs/\(stream.jobID)"), deployment)
            }
        }

        @Test func `a rate limit parks the reply for as long as it asks and spends no attempt`() async throws {
            let scenario: JSONObject = ["tokens": 20, "fault": "status429", "times": 1, "retryAfter": "1"]
            try await reply(to: scenario) { reply, message, job, deployment in
                #expect(reply.last("queued")?["reason"] != nil)
                #expect(reply.shape.suffix(5) == ["content", "stop", "usage", "end", "complete"])
                #expect(reply.text.split(separator: " ").count == 20)
                #expect(job["attempt"] == 1)
                let times = deployment.simulator.requests.prefix(2).map(\.arrivedAt)
                #expect(times.count == 2 && times[0].duration(to: times[1]) >= .seconds(1))
            }
        }

        @Test(arguments: ["status500", "status502", "status503"])
        func `a failure before any output is tried again`(fault: String) async throws {
            try await reply(to: ["tokens": 20, "fault": .string(fault), "times": 2]) { reply, message, job, _ in
                #expect(reply.last("complete") != nil)
                #expect(reply.text.split(separator: " ").count == 20)
                #expect(message["status"] == "complete")
                #expect(job["attempt"] == 3)
            }
        }

        @Test(arguments: ["reset", "close", "badJSON", "errorEvent"])
        func `a stream that breaks gives the whole text in the end`(fault: String) async throws {
            let scenario: JSONObject = [
                "tokens": 30, "fault": .string(fault), "after": 10, "times": 1, "itl": "5ms",
            ]
            try await reply(to: scenario) { reply, message, _, deployment in
                #expect(reply.last("complete") != nil)
                #expect(reply.last("restart") != nil)
                #expect(reply.text.split(separator: " ").count == 30)
                #expect(message["status"] == "complete")
                // What was shown and taken back is charged like the rest.
                let charged = try await deployment.withConnection { connection in
                    try await connection.query("SELECT closed AND completion_tokens > 0 FROM usage ORDER BY lease")
                        .decode(Bool.self)
                }
                #expect(charged == [true, true])
            }
        }

        @Test func `a provider that does not stream is asked for the whole text`() async throws {
            try await reply(to: ["tokens": 30, "fault": "refuseStream"]) { reply, _, job, _ in
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(reply.text.split(separator: " ").count == 30)
                #expect(job["attempt"] == 1)
            }
        }

        @Test func `the call for the whole after a stream that broke has a row of its own in the ledger`() async throws
        {
            let scenario: JSONObject = ["tokens": 20, "fault": "errorEvent", "after": 0, "times": 1]
            try await reply(to: scenario) { reply, _, job, deployment in
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(job["attempt"] == 1)
                #expect(deployment.simulator.requests.map(\.isStreamed) == [true, false])
                let rows = try await deployment.withConnection { connection in
                    try await connection.query("SELECT call, closed, estimated FROM usage ORDER BY call")
                        .decode(Int16.self, Bool.self, Bool.self).map { "\($0) \($1) \($2)" }
                }
                // What the first one cost nobody knows: its estimate stays.
                #expect(rows == ["1 false true", "2 true false"])
            }
        }

        @Test(arguments: ["splitUTF8", "crlf", "heartbeats", "noDone", "splitUTF8,crlf,heartbeats"])
        func `unusual bytes make no difference`(fault: String) async throws {
            let text = "Grüße aus Zürich — 你好 👋🏽 fin"
            try await reply(to: ["text": .string(text), "fault": .string(fault)]) { reply, message, _, _ in
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(reply.text == text)
            }
        }

        @Test func `usage that the provider does not tell is estimated`() async throws {
            try await reply(to: ["tokens": 30, "fault": "noUsage"]) { reply, message, _, _ in
                let usage = reply.last("usage")?.data["usage"]
                #expect(usage?["estimated"] == true)
                #expect((usage?["completion_tokens"]?.integerValue ?? 0) > 0)
                #expect(message["usage"]?["estimated"] == true)
            }
        }

        @Test(arguments: [
            ("status401", "provider_auth"), ("status404", "provider_bad_response"), ("quota429", "provider_quota"),
            ("400context", "context_length"), ("400filter", "content_filter"),
        ])
        func `what cannot be helped is told and stored`(fault: String, code: String) async throws {
            try await reply(to: ["fault": .string(fault)]) { reply, message, job, deployment in
                let error = try #require(reply.frames.last)
                #expect(error.event == "error")
                #expect(error["code"] == code)
                #expect(error["error"]?.contains("sk-") == false)
                #expect(message["status"] == "failed")
                #expect(message["error"]?["code"]?.stringValue == code)
                #expect(job["state"] == "failed")
                #expect(deployment.simulator.requests.count == 1)
            }
        }

        @Test func `a provider that says nothing is given up after the longest silence`() async throws {
            try await reply(to: ["tokens": 20, "fault": "hang", "times": 1]) { reply, message, job, deployment in
                #expect(reply.last("complete") != nil)
                #expect(reply.text.split(separator: " ").count == 20)
                #expect(deployment.simulator.connections.contains { $0.closedBy == .client })
            }
        }

        @Test func `a provider that falls silent in the middle is given up after the longest silence`() async throws {
            let scenario: JSONObject = ["tokens": 20, "fault": "stall", "after": 10, "times": 1]
            try await reply(to: scenario) { reply, message, job, deployment in
                #expect(reply.last("complete") != nil)
                #expect(reply.text.split(separator: " ").count == 20)
                #expect(deployment.simulator.connections.contains { $0.closedBy == .client })
            }
        }
    }
}
