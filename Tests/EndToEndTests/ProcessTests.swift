// SPDX-License-Identifier: Apache-2.0
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
