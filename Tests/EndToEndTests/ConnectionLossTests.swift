// SPDX-License-Identifier: Apache-2.0
import JSON
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Single connections of the product to its database are lost while replies stream.
    @Suite(.timeLimit(.minutes(1))) struct ConnectionLossTests {
        /// What is promised for every loss.
        private static let recovery: Duration = .seconds(2)

        @Test func `every single connection may be ended while replies stream, and nobody notices`() async throws {
            try await Deployment.with(.serve, .work, mayLogErrors: true) { deployment, processes in
                let client = try await processes[0].client()
                // A first turn and a title, so that every connection is there.
                let first = try await client.newSession(model: Deployment.model)
                _ = try await client.post(simulate(["tokens": 3]), to: first).read()
                _ = try await client.session(first) { $0["titleSource"] != "default" }
                let probed = try await client.newSession(model: Deployment.model, title: "Probe")
                var begun: [(session: String, stream: ReplyStream)] = []
                for index in 0..<4 {
                    let session = try await client.newSession(model: Deployment.model, title: "Stream \(index)")
                    begun.append((session, try await client.post(Self.endless, to: session)))
                }
                let streams = begun
                try await deployment.until {
                    let sessions = try await deployment.sessions()
                    let roles = Set(sessions.map(\.role))
                    return roles.isSuperset(of: Self.roles) ? nil : "sessions: \(roles)"
                }
                let sessions = try await deployment.sessions()
                async let replies = Self.readAll(streams.map(\.stream))
                for session in sessions {
                    try await deployment.end(session)
                    let ended = ContinuousClock.now
                    let probe = try await Self.turn(client, probed, key: "probe-\(session.process)")
                    let pause = ended.duration(to: .now)
                    #expect(probe.shape.suffix(5) == ["content", "stop", "usage", "end", "complete"])
                    #expect(probe.violations == [])
                    #expect(pause < Self.recovery, "\(session.role): \(pause)")
                }
                for (session, _) in streams {
                    _ = try await client.call("POST", "/api/chat/stop", ["sessionId": .string(session)])
                }
                for ((session, stream), reply) in zip(streams, try await replies) {
                    #expect(reply.violations == [])
                    // No restart: no run was lost, and none was taken for lost.
                    #expect(reply.shape == ReplyTests.finishedShape)
                    #expect(Self.longestSilence(of: reply) < Self.recovery)
                    let stored = try await client.message(stream.messageID, of: session)
                    #expect(stored["content"]?.stringValue == reply.text)
                    #expect(try await client.call("GET", "/api/jobs/\(stream.jobID)")["attempt"] == 1)
                }
                try await deployment.everythingEnded()
            }
        }

        /// An API and a worker whose connections to the database can be cut.
        private static func throughProxy(
            _ body: (PostgresProxy, Deployment, APIClient) async throws -> Void
        ) async throws {
            let template = try await TestCluster.migratedTemplate()
            try await TestCluster.withDatabase(template: template) { name in
                try await PostgresProxy.with(database: name) { proxy, url in
                    try await Deployment.with(.serve, .work, database: url, mayLogErrors: true) {
                        deployment, processes in
                        try await body(proxy, deployment, try await processes[0].client())
                    }
                }
            }
        }

        /// Whose answer is lost after its commit.
        enum Commit: String, CaseIterable {
            case turn, claim, append, end

            func isMade(by exchange: PostgresProxy.Exchange) -> Bool {
                guard exchange.isOver else { return false }
                return switch self {
                case .turn: exchange.asks("FROM submit_turn") && exchange.tags.contains("SELECT 1")
                case .claim: exchange.asks("INSERT INTO running") && exchange.tags.contains("SELECT 1")
                case .append: exchange.application == "switchyard/publisher" && exchange.asks("INSERT INTO events")
                case .end: exchange.asks("DELETE FROM running") && exchange.tags.contains("COMMIT")
                }
            }
        }

        @Test(arguments: Commit.allCases)
        func `a connection that is lost between a commit and its answer leaves nothing behind`(
            commit: Commit
        ) async throws {
            try await Self.throughProxy { proxy, deployment, client in
                let session = try await client.newSession(model: Deployment.model, title: "Cut")
                _ = try await client.post(simulate(["tokens": 3]), to: session).read()
                let cut = proxy.cutOnce { commit.isMade(by: $0) }
                let asked = ContinuousClock.now
                let stream = try await client.post(simulate(["tokens": 20, "itl": "5ms"]), to: session)
                let reply = try await stream.read()
                await cut.wait()
                #expect(asked.duration(to: .now) < Self.recovery + .milliseconds(20 * 5))
                #expect(reply.violations == [])
                #expect(reply.last("complete")?["finishReason"] == "stop")
                #expect(reply.text.split(separator: " ").count == 20)
                let stored = try await client.message(reply.messageID, of: session)
                #expect(stored["content"]?.stringValue == reply.text)
                // What was committed is neither done again nor forgotten.
                #expect(try await client.messages(of: session).count == 4)
                #expect(deployment.simulator.requests.count == 2)
                let job = try await client.call("GET", "/api/jobs/\(stream.jobID)")
                #expect(job["attempt"] == 1)
                #expect(job["state"] == "completed")
                try await deployment.everythingEnded()
                let next = try await client.post(simulate(["tokens": 3]), to: session).read()
                #expect(next.shape == ReplyTests.finishedShape)
            }
        }

        @Test func `a call whose row got no answer is charged for, and made again`() async throws {
            try await Self.throughProxy { proxy, deployment, client in
                let session = try await client.newSession(model: Deployment.model, title: "Cut")
                let cut = proxy.cutOnce { $0.isOver && $0.asks("INSERT INTO usage") }
                let reply = try await client.post(simulate(["tokens": 5]), to: session).read()
                await cut.wait()
                #expect(reply.violations == [])
                #expect(reply.last("complete")?["finishReason"] == "stop")
                #expect(reply.text.split(separator: " ").count == 5)
                // The provider was asked beside the statement; of its first answer nothing was shown.
                #expect(deployment.simulator.requests.count == 2)
                let charged = try await deployment.withConnection { connection in
                    try await connection.query("SELECT closed FROM usage ORDER BY lease").decode(Bool.self)
                }
                #expect(charged == [true, true])
                try await deployment.everythingEnded()
            }
        }

        @Test func `without any notification everything is as it is, only later`() async throws {
            let template = try await TestCluster.migratedTemplate()
            try await TestCluster.withDatabase(template: template) { name in
                try await PostgresProxy.with(database: name) { proxy, url in
                    proxy.dropNotifications()
                    try await Deployment.with(.serve, .work, .work, database: url) { deployment, processes in
                        let client = try await processes[0].client()
                        let session = try await client.newSession(model: Deployment.model, title: "Deaf")
                        let first = try await client.post(simulate(["tokens": 60, "itl": "10ms"]), to: session)
                        let second = try await client.post(simulate(["tokens": 10]), to: session)
                        let (one, two) = (try await first.read(), try await second.read())
                        #expect(one.loggedShape == ReplyTests.finishedShape)
                        #expect(two.loggedShape == ["start", "queued"] + ReplyTests.finishedShape.dropFirst())
                        #expect(one.violations + two.violations == [])
                        #expect(try await client.attach(to: first.messageID).read().logged == one.logged)
                        for (stream, reply) in [(first, one), (second, two)] {
                            let stored = try await client.message(stream.messageID, of: session)
                            #expect(stored["content"]?.stringValue == reply.text)
                        }
                        // The beat tells of the stop.
                        let stopped = try await client.post(Self.endless, to: session)
                        let begun = try await stopped.read(pieces: 3)
                        _ = try await client.call("POST", "/api/chat/stop", ["sessionId": .string(session)])
                        let end = try await stopped.read(into: begun)
                        #expect(end.loggedShape == ReplyTests.finishedShape)
                        #expect(end.last("stop")?["reason"] == "cancelled")
                        #expect(proxy.droppedNotificationCount > 0)
                        #expect(deployment.simulator.requests.count == 3)
                        try await deployment.everythingEnded()
                    }
                }
            }
        }

        private static let endless = simulate(["tokens": 20_000, "itl": "10ms"])
        private static let roles: Set<String> = [
            "switchyard/pool", "switchyard/claimer", "switchyard/notifier", "switchyard/publisher",
            "switchyard/heartbeat", "switchyard/listener", "switchyard/stream",
        ]

        /// A turn as a client makes it that repeats what got no answer, with its key.
        private static func turn(_ client: APIClient, _ session: String, key: String) async throws -> Reply {
            while true {
                do {
                    return try await client.post(simulate(["tokens": 3]), to: session, key: key).read()
                } catch let answer as APIClient.Answer where answer.status == 503 {
                    await Pause.short()
                }
            }
        }

        private static func readAll(_ streams: [ReplyStream]) async throws -> [Reply] {
            try await withThrowingTaskGroup(of: (Int, Reply).self) { group in
                for (index, stream) in streams.enumerated() {
                    group.addTask { (index, try await stream.read(within: .seconds(50))) }
                }
                return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
            }
        }

        private static func longestSilence(of reply: Reply) -> Duration {
            zip(reply.frames, reply.frames.dropFirst()).map { $0.receivedAt.duration(to: $1.receivedAt) }.max() ?? .zero
        }
    }
}
