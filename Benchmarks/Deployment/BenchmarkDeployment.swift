// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import JSON
import Postgres
import Runtime
import Synchronization
import TestSupport

/// A migrated database and the real processes on it, as they are deployed.
final class BenchmarkDeployment: Sendable {
    /// The model string of the simulated provider.
    static let model = "sim/text"

    let database: String
    let probe: DatabaseProbe
    let postmaster: pid_t?
    private let started = Mutex<[(name: String, process: ChildProcess)]>([])
    private let simulatorPort = Mutex<Int64>(0)

    private init(_ database: String, _ probe: DatabaseProbe, _ postmaster: pid_t?) {
        self.database = database
        self.probe = probe
        self.postmaster = postmaster
    }

    /// Runs a body with an empty database; whatever the body starts is ended by force afterwards.
    static func with<Value>(_ body: (BenchmarkDeployment) async throws -> Value) async throws -> Value {
        try await TestCluster.withDatabase(template: try await TestCluster.migratedTemplate()) { name in
            try await TestCluster.withConnection(to: name) { connection in
                let probe = DatabaseProbe(connection: connection)
                let deployment = BenchmarkDeployment(name, probe, try await probe.postmaster())
                let result: Result<Value, any Error>
                do { result = .success(try await body(deployment)) } catch { result = .failure(error) }
                for (name, child) in deployment.started.withLock({ $0 }) {
                    child.signal(SIGKILL)
                    await child.exitStatus()
                    guard case .failure = result else { continue }
                    let log = child.lines.elements.suffix(20).joined(separator: "\n")
                    SwitchyardBench.write("— \(name) —\n\(log)\n", to: STDERR_FILENO)
                }
                return try result.get()
            }
        }
    }

    /// Starts the provider. Its address is in the environment of what is started after it.
    func startSimulator() async throws -> SocketAddress {
        let process = try await ChildProcess.start(
            Self.sibling("switchyard-provider-simulator"), [], environment: ["PATH": "/usr/bin:/bin"])
        started.withLock { $0.append(("simulator", process)) }
        let line = try await process.lines.first { $0.hasPrefix("{") }
        let port = try JSONParser.parse(line)["port"]?.integerValue ?? 0
        simulatorPort.withLock { $0 = port }
        return SocketAddress(host: "127.0.0.1", port: UInt16(port))
    }

    /// Starts the API and waits until it listens.
    func startAPI() async throws -> APIClient {
        let process = try await start(.serve, name: "api", [:])
        return APIClient(try await process.address())
    }

    /// Starts a worker and waits until it has registered.
    @discardableResult
    func startWorker(_ name: String = "worker", slots: Int = 64) async throws -> SwitchyardProcess {
        let before = try await probe.workerCount()
        let process = try await start(.work, name: name, ["WORKER_SLOTS": "\(slots)"])
        let deadline = ContinuousClock.now + .seconds(20)
        while try await probe.workerCount() <= before {
            guard ContinuousClock.now < deadline, process.child.isRunning else {
                throw BenchmarkFailure(process.child.lines.elements.suffix(20))
            }
            try await ContinuousClock().sleep(for: .milliseconds(20))
        }
        return process
    }

    private func start(
        _ role: SwitchyardProcess.Role, name: String, _ more: [String: String]
    ) async throws -> SwitchyardProcess {
        let port = simulatorPort.withLock { $0 }
        var environment = [
            "LOG_LEVEL": "info", "DATABASE_POOL_SIZE": "8", "OPENAI_BASE_URL": "http://127.0.0.1:\(port)/v1",
            "OPENAI_API_KEY": "sk-simulated", "OPENAI_MODELS": Self.model,
        ]
        environment.merge(more) { $1 }
        let process = try await SwitchyardProcess.start(role, database: database, environment: environment)
        started.withLock { $0.append((name, process.child)) }
        return process
    }

    /// What all processes have spent so far.
    func times() throws -> ProcessTimes {
        var processes = ["bench": getpid()]
        for (name, child) in started.withLock({ $0 }) where child.isRunning { processes[name] = child.pid }
        return try ProcessTimes(processes, postmaster: postmaster)
    }

    /// A program that was built beside this one.
    static func sibling(_ name: String) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/"
            + name
    }
}
