// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Persistence
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct ProcessTests {
        @Test func `a process tells where it listens, becomes ready, and leaves in order`() async throws {
            try await Deployment.with(.all) { _, processes in
                let client = try await processes[0].client()
                #expect(try await client.send("GET", "/healthz").status == 200)
                #expect(try await client.send("GET", "/readyz").status == 200)
                processes[0].terminate()
                #expect(await processes[0].child.exitStatus() == .exited(0))
            }
        }

        @Test func `serve and work refuse a database that is not migrated`() async throws {
            try await TestCluster.withDatabase { name in
                for role in [SwitchyardProcess.Role.serve, .work] {
                    try await SwitchyardProcess.with(role, database: name) { process in
                        #expect(await process.child.exitStatus() == .exited(1))
                    }
                }
            }
        }

        @Test func `the command line shows the queue and the workers as JSON`() async throws {
            try await Deployment.with(.all) { deployment, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                _ = try await client.post(simulate(["tokens": 5]), to: session).read()
                let (status, lines) = try await SwitchyardProcess.output(
                    ["admin", "queue"], database: deployment.database)
                #expect(status == .exited(0))
                #expect(lines.count == 1)
                let queue = try JSONParser.parse(lines.first ?? "")
                #expect(queue["lanes"]?.arrayValue?.map { $0["lane"] } == ["chat", "title", "summary", "embedding"])
                let (_, workerLines) = try await SwitchyardProcess.output(
                    ["admin", "workers"], database: deployment.database)
                let workers = try JSONParser.parse(workerLines.first ?? "").arrayValue ?? []
                #expect(workers.count == 1)
                #expect(workers.first?["slots"] == 64)
                // The same as through the API, but for the time that has passed.
                let shown = try await client.call("GET", "/api/admin/workers")["items"]?.arrayValue ?? []
                #expect(shown.map { $0["id"] } == workers.map { $0["id"] })
                for wrong in [["admin"], ["admin", "nothing"], ["admin", "queue", "more"]] {
                    let (status, lines) = try await SwitchyardProcess.output(wrong, database: deployment.database)
                    #expect(status == .exited(64))
                    #expect(lines.first?.contains("usage") == true)
                }
            }
        }

        @Test func `the command line sets the weights of tenants and shows them`() async throws {
            try await TestDatabase.withMigrated { database in
                let name = try #require(
                    try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
                let (user, stranger) = (UserID(high: 1, low: 7), UserID(high: 1, low: 8))
                _ = try await UserStore(database: database.database)
                    .create(NewUser(id: user, username: "otter", passwordHash: "hash"))
                func admin(_ words: String...) async throws -> (status: ChildProcess.ExitStatus, lines: [String]) {
                    try await SwitchyardProcess.output(["admin"] + words, database: name)
                }
                func weights() async throws -> JSONValue {
                    try JSONParser.parse(try await admin("weights").lines.first ?? "")
                }
                #expect(try await weights() == [])
                for (word, weight) in [("0.01", 0.01), ("10", 10), ("2.5", 2.5)] {
                    let (status, lines) = try await admin("weight", "\(user)", word)
                    #expect(status == .exited(0))
                    #expect(try JSONParser.parse(lines.first ?? "")["weight"]?.doubleValue == weight)
                    #expect(try await weights().arrayValue?.map { $0["userId"]?.stringValue } == ["\(user)"])
                    #expect(try await weights().arrayValue?.map { $0["weight"]?.doubleValue } == [weight])
                }
                for word in ["0.009", "10.1", "nan", "inf", "-1", "much", ""] {
                    let (status, lines) = try await admin("weight", "\(user)", word)
                    #expect(status == .exited(64))
                    #expect(lines.first?.contains("is no weight, which is a number from 0.01 to 10.0") == true)
                }
                let (status, lines) = try await admin("weight", "\(stranger)", "2")
                #expect(status == .exited(1))
                #expect(lines == ["switchyard: there is no user \(stranger)"])
                let (wrong, words) = try await admin("weight", "otter", "2")
                #expect(wrong == .exited(64))
                #expect(words.first?.contains("is no user's id") == true)
                #expect(try await weights().arrayValue?.count == 1)
                for id in [user, stranger] {
                    let (status, lines) = try await admin("weight", "\(id)", "default")
                    #expect(status == .exited(0))
                    #expect(try JSONParser.parse(lines.first ?? "")["weight"]?.doubleValue == 1)
                }
                #expect(try await weights() == [])
                for words in [["weight"], ["weight", "\(user)"], ["weights", "more"]] {
                    let (status, lines) = try await SwitchyardProcess.output(["admin"] + words, database: name)
                    #expect(status == .exited(64))
                    #expect(lines.first?.contains("usage") == true)
                }
            }
        }

        @Test func `the command line refuses a database that is not migrated`() async throws {
            try await TestCluster.withDatabase { name in
                let (status, lines) = try await SwitchyardProcess.output(["admin", "queue"], database: name)
                #expect(status == .exited(1))
                #expect(lines.first?.contains("migrat") == true)
            }
        }

        @Test func `all migrates an empty database`() async throws {
            try await TestCluster.withDatabase { name in
                try await SwitchyardProcess.with(.all, database: name) { process in
                    let ready = try await process.client().send("GET", "/readyz")
                    #expect(ready.status == 200)
                }
            }
        }
    }
}
