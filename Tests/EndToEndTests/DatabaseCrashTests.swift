// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct DatabaseCrashTests {
        @Test(arguments: 1...2)
        func `ten streams survive a crash of the database`(workers: Int) async throws {
            try await PrivateCluster.with { cluster in
                try await Deployment.with(.all, database: cluster.url, mayLogErrors: true) { deployment, processes in
                    for _ in 1..<workers { _ = try await deployment.start(.work) }
                    let client = try await processes[0].client()
                    var streams: [(session: String, stream: ReplyStream, begun: Reply)] = []
                    for _ in 0..<10 {
                        let session = try await client.newSession(model: Deployment.model)
                        let stream = try await client.post(simulate(["tokens": 400, "itl": "10ms"]), to: session)
                        streams.append((session, stream, Reply()))
                    }
                    for index in streams.indices {
                        streams[index].begun = try await streams[index].stream.read(pieces: 20)
                    }
                    try await cluster.crash()
                    try await cluster.start()
                    let replies = try await withThrowingTaskGroup(of: (String, Reply).self) { group in
                        for (session, stream, begun) in streams {
                            group.addTask { (session, try await stream.read(into: begun, within: .seconds(40))) }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    for (session, reply) in replies {
                        #expect(reply.violations == [])
                        #expect(reply.shape == ReplyTests.finishedShape)
                        #expect(reply.text.split(separator: " ").count == 400)
                        let stored = try await client.message(reply.messageID, of: session)
                        #expect(stored["content"]?.stringValue == reply.text)
                        #expect(stored["status"] == "complete")
                    }
                    #expect(processes[0].child.isRunning)
                    // The next turn is served as if nothing had been.
                    let session = try await client.newSession(model: "local")
                    let next = try await client.post("hello", to: session).read()
                    #expect(next.loggedShape == ReplyTests.finishedShape)
                }
            }
        }

        @Test func `processes that start while the database is down wait for it`() async throws {
            try await PrivateCluster.with { cluster in
                try await Deployment.with(.all, database: cluster.url, mayLogErrors: true) { deployment, processes in
                    // Migrated, and gone.
                    processes[0].terminate()
                    #expect(await processes[0].child.exitStatus() == .exited(0))
                    try await cluster.crash()
                    let (api, worker) = (try await deployment.start(.serve), try await deployment.start(.work))
                    for process in [api, worker] { _ = try await process.line("the start waits for the database") }
                    try await cluster.start()
                    let client = try await api.client()
                    let reply = try await client.post("hello", to: try await client.newSession(model: "local")).read()
                    #expect(reply.loggedShape == ReplyTests.finishedShape)
                    #expect(worker.child.isRunning)
                }
            }
        }

        @Test func `a signal ends the wait for the database`() async throws {
            try await PrivateCluster.with { cluster in
                try await cluster.crash()
                try await SwitchyardProcess.with(.serve, database: cluster.url) { process in
                    _ = try await process.line("the start waits for the database")
                    process.terminate()
                    #expect(await process.child.exitStatus() == .exited(1))
                }
                try await cluster.start()
            }
        }
    }
}
