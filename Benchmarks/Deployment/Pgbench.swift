// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import TestSupport

/// PostgreSQL's own load generator, where it is installed.
struct Pgbench: Sendable {
    private let path: String
    private let script: String

    /// The one of the server under test, else the machine's; `nil` when there is none.
    static func find() -> Pgbench? {
        let environment = ProcessInfo.processInfo.environment
        guard let script = environment["SWITCHYARD_BENCH_SCRIPTS"] else { return nil }
        let candidates = [environment["SWITCHYARD_BENCH_PGBENCH"], "/usr/bin/pgbench"].compactMap { $0 }
        let path = candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
        return path.map { Pgbench(path: $0, script: script + "/claim-and-complete.sql") }
    }

    /// Runs the queue's claim and end over and over.
    func run(database: String, batch: Int, connections: Int, transactions: Int) async throws {
        guard let url = TestCluster.url, let slash = url.lastIndex(of: "/") else {
            throw BenchmarkFailure(["there is no server"])
        }
        let process = try await ChildProcess.start(
            path,
            [
                "--no-vacuum", "--protocol=prepared", "--file=\(script)", "--define=batch=\(batch)",
                "--client=\(connections)", "--jobs=\(connections)", "--transactions=\(transactions)",
                "\(url[...slash])\(database)",
            ],
            environment: [
                "PATH": "/usr/bin:/bin", "PGOPTIONS": "-c random_page_cost=1.1 -c enable_seqscan=off -c jit=off",
            ])
        let status = await process.exitStatus()
        guard status == .exited(0) else { throw BenchmarkFailure(process.lines.elements) }
    }
}
