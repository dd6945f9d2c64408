// SPDX-License-Identifier: Apache-2.0
import Cryptography
import FoundationEssentials
import Glibc
import Observability
import Persistence
import Postgres

/// A PostgreSQL of a test's own, which it may crash. Its port stays the same over restarts.
package struct PrivateCluster: Sendable {
    /// The superuser's URL of the database `postgres`.
    package let url: String
    private let script: String
    private let folder: String
    private let preloaded: [String]

    /// Runs a body with a durable cluster, and removes it. A library can be loaded into the server.
    ///
    /// - Throws: ``TestCluster/MissingServer`` when `SWITCHYARD_TEST_POSTGRES` does not say how to start one.
    package static func with<Value>(
        preloading library: String? = nil, _ body: (PrivateCluster) async throws -> Value
    ) async throws -> Value {
        guard let value = unsafe getenv("SWITCHYARD_TEST_POSTGRES") else { throw TestCluster.MissingServer() }
        let script = unsafe String(cString: value)
        let suffix = Hexadecimal.encode(RandomBytes.generate(count: 6))
        let folder = "\(FileManager.default.temporaryDirectory.path)/switchyard-crash.\(suffix)"
        let preloaded = library.map { ["--preload", $0] } ?? []
        let cluster = PrivateCluster(
            url: try await start(script, folder, preloaded), script: script, folder: folder, preloaded: preloaded)
        let result: Result<Value, any Error>
        do { result = .success(try await body(cluster)) } catch { result = .failure(error) }
        _ = try await run(script, ["remove", folder])
        return try result.get()
    }

    /// Makes its database current, for processes that do not do it themselves.
    package func migrate() async throws {
        try await TestCluster.withConnection(at: try PostgresConfiguration(url: url)) { connection in
            _ = try await Migrator(connection: connection, logger: .discard).up()
        }
    }

    /// As a power cut would.
    package func crash() async throws { _ = try await Self.run(script, ["crash", folder]) }

    /// Again, after a crash.
    package func start() async throws { _ = try await Self.start(script, folder, preloaded) }

    private static func start(_ script: String, _ folder: String, _ preloaded: [String]) async throws -> String {
        let lines = try await run(script, ["start", folder, "--template", "--set", "max_connections=200"] + preloaded)
        guard let url = lines.last(where: { $0.hasPrefix("postgresql://") }) else {
            throw Unheard(hasEnded: true, last: lines)
        }
        return url
    }

    private static func run(_ script: String, _ arguments: [String]) async throws -> [String] {
        var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]
        for name in ["HOME", "SWITCHYARD_CACHE", "SWITCHYARD_PG_VERSION", "TMPDIR"] {
            environment[name] = ProcessInfo.processInfo.environment[name]
        }
        let process = try await ChildProcess.start(script, arguments, environment: environment)
        let status = await process.exitStatus()
        guard status == .exited(0) else { throw Unheard(hasEnded: true, last: process.lines.elements) }
        return process.lines.elements
    }
}
