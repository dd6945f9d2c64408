// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import JSON
import TestSupport

/// Other job queues on PostgreSQL, run by the drivers in `Benchmarks/peers`.
struct PeerQueue: Sendable {
    /// A queue in a setting, and how much faster than it the worker is to be.
    struct Peer: Sendable {
        let driver: String
        let setting: String
        let workers: Int
        /// As many jobs as it does in about five seconds.
        let count: Int
        let target: Figure.Target?
    }

    /// What came of a run.
    struct Result: Sendable {
        /// Name and version.
        let version: String
        let jobsPerSecond: Double
        let enqueuedPerSecond: Double
    }

    static let all = [
        Peer(driver: "pgqueuer", setting: "default", workers: 1, count: 30_000, target: .atLeast(10)),
        Peer(driver: "pgqueuer", setting: "best", workers: 2, count: 100_000, target: .atLeast(3)),
        Peer(driver: "procrastinate", setting: "default", workers: 1, count: 2_000, target: nil),
        Peer(driver: "procrastinate", setting: "best", workers: 2, count: 4_000, target: nil),
    ]

    private let python: String
    private let folder: String

    /// - Throws: when `ops/bench` has not set them up.
    static func find() throws -> PeerQueue {
        let environment = ProcessInfo.processInfo.environment
        guard let python = environment["SWITCHYARD_BENCH_PYTHON"], let folder = environment["SWITCHYARD_BENCH_PEERS"]
        else { throw BenchmarkFailure(["other queues are measured by ops/bench burn-down --peers"]) }
        return PeerQueue(python: python, folder: folder)
    }

    /// Runs a peer on a database of its own.
    func run(_ peer: Peer, count: Int) async throws -> Result {
        try await TestCluster.withDatabase { database in
            guard let url = TestCluster.url, let slash = url.lastIndex(of: "/") else {
                throw BenchmarkFailure(["there is no server"])
            }
            let process = try await ChildProcess.start(
                python,
                [
                    "\(folder)/\(peer.driver)_burn_down.py", "--jobs", "\(count)", "--workers", "\(peer.workers)",
                    "--setting", peer.setting,
                ],
                environment: [
                    "PATH": "/usr/bin:/bin", "DATABASE_URL": url[...slash] + database, "PYTHONDONTWRITEBYTECODE": "1",
                ])
            let status = await process.exitStatus()
            let lines = process.lines.elements
            guard status == .exited(0), let line = lines.last(where: { $0.hasPrefix("{") }) else {
                throw BenchmarkFailure(lines.suffix(20))
            }
            let result = try JSONParser.parse(line)
            let name = "\(result["peer"]?.stringValue ?? "") \(result["version"]?.stringValue ?? "")"
            return Result(
                version: name, jobsPerSecond: result["jobsPerSecond"]?.doubleValue ?? .nan,
                enqueuedPerSecond: result["enqueuedPerSecond"]?.doubleValue ?? .nan)
        }
    }
}
