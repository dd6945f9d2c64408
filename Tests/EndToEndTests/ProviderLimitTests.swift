// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// What all workers together ask of a provider, counted where it arrives.
    @Suite(.timeLimit(.minutes(1))) struct ProviderLimitTests {
        @Test func `two workers never exceed what a provider may be asked`() async throws {
            let environment = ["OPENAI_MAX_CONCURRENT": "3", "OPENAI_REQUESTS_PER_MINUTE": "9"]
            try await Deployment.with(.serve, .work, .work, environment: environment) { deployment, processes in
                let client = try await processes[0].client()
                let model = try await client.call("GET", "/api/models")["system"]?.arrayValue?.first {
                    $0["model"]?.stringValue == Deployment.model
                }
                #expect(model?["limits"] == ["maxConcurrent": 3, "requestsPerMinute": 9])
                var streams: [(ReplyStream, session: String)] = []
                for _ in 0..<14 {
                    let session = try await client.newSession(model: Deployment.model, title: "Limits")
                    let scenario: JSONObject = ["tokens": 20, "itl": "25ms"]
                    streams.append((try await client.post(simulate(scenario), to: session), session))
                }
                await deployment.simulator.requestsArrived(9)
                var states: [String: Int] = [:]
                repeat {
                    states = [:]
                    for (stream, _) in streams {
                        let job = try await client.call("GET", "/api/jobs/\(stream.jobID)")
                        states[job["state"]?.stringValue ?? "", default: 0] += 1
                    }
                } while states["completed"] != 9
                // The others wait in line, in no worker's slot, and the provider is not asked for them.
                #expect((states["scheduled"] ?? 0) + (states["ready"] ?? 0) + (states["running"] ?? 0) == 5)
                let arrivals = deployment.simulator.requests.map(\.arrivedAt)
                #expect(arrivals.count == 9)
                // A reply takes half a second: with three of them under way the fourth comes after the first has ended.
                for index in arrivals.indices where index + 3 < arrivals.count {
                    #expect(arrivals[index].duration(to: arrivals[index + 3]) >= .milliseconds(450))
                }
                // One that waits is stopped at once.
                for (stream, session) in streams {
                    let state = try await client.call("GET", "/api/jobs/\(stream.jobID)")["state"]?.stringValue
                    if state == "completed" { continue }
                    let asked = ContinuousClock.now
                    #expect(
                        try await client.call("POST", "/api/chat/stop", ["sessionId": .string(session)])["stopped"] == 1
                    )
                    _ = try await stream.read(within: .seconds(5))
                    #expect(asked.duration(to: .now) < .seconds(1))
                }
                #expect(deployment.simulator.requests.count == 9)
            }
        }

        @Test func `a 429 to one worker stops all of them and no other provider's jobs`() async throws {
            let environment = ["OPENAI_MODELS": "\(Deployment.model),sim/other", "WORKER_SLOTS": "8"]
            try await Deployment.with(.serve, .work, .work, environment: environment) { deployment, processes in
                let client = try await processes[0].client()
                let blocked = try await client.newSession(model: Deployment.model, title: "Blocked")
                let refusal: JSONObject = ["tokens": 5, "fault": "status429", "times": 1, "retryAfter": "4"]
                let first = try await client.post(simulate(refusal), to: blocked)
                await deployment.simulator.requestsArrived(1)
                let parked = try await client.job(first.jobID) { $0["state"] == "scheduled" }
                #expect(parked["attempt"] == 0)
                var crowd: [ReplyStream] = []
                for _ in 0..<200 {
                    let session = try await client.newSession(model: Deployment.model, title: "Crowd")
                    crowd.append(try await client.post(simulate(["tokens": 2]), to: session))
                }
                // In spite of the crowd, another provider's reply comes as ever.
                let free = try await client.newSession(model: "sim/other", title: "Free")
                let asked = ContinuousClock.now
                let reply = try await client.post(simulate(["tokens": 5]), to: free).read(within: .seconds(10))
                #expect(reply.shape == ReplyTests.finishedShape)
                #expect(asked.duration(to: .now) < .seconds(1))
                for stream in crowd { await stream.close() }
                let answered = try await first.read(within: .seconds(20))
                #expect(answered.last("complete") != nil)
                for stream in crowd {
                    let job = try await client.job(stream.jobID, within: .seconds(30)) { $0["state"] == "completed" }
                    #expect(job["attempt"] == 1)
                }
                let requests = deployment.simulator.requests
                let refused = try #require(requests.first)
                let others = requests.dropFirst().filter { !$0.text.contains("sim/other") }
                #expect(others.count == 201)
                for request in others {
                    #expect(refused.arrivedAt.duration(to: request.arrivedAt) >= .seconds(4))
                }
            }
        }

        @Test func `a dead worker's share returns only fifteen seconds after its last beat`() async throws {
            let environment = ["OPENAI_MAX_CONCURRENT": "1"]
            try await Deployment.with(.serve, .work, environment: environment) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model, title: "Share")
                let scenario: JSONObject = ["tokens": 20, "itl": "100ms"]
                let stream = try await client.post(simulate(scenario), to: session)
                let begun = try await stream.read(pieces: 1)
                _ = try await deployment.start(.work)
                while try await client.call("GET", "/api/settings/health")["workers"] != 2 {}
                processes[1].kill()
                let killed = ContinuousClock.now
                let reply = try await stream.read(into: begun, within: .seconds(40))
                #expect(reply.last("complete") != nil)
                let second = try #require(deployment.simulator.requests.dropFirst().first)
                // Its last beat was up to half a second, and a pause, before its death.
                #expect(killed.duration(to: second.arrivedAt) >= .seconds(13))
                #expect(killed.duration(to: second.arrivedAt) < .seconds(22))
            }
        }
    }
}
