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
    @discardableResult
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
    func startAPI(_ settings: [String: String] = [:]) async throws -> APIClient {
        let process = try await start(.serve, name: "api", settings)
        return APIClient(try await process.address())
    }

    /// Starts a worker and waits until it has registered.
    @discardableResult
    func startWorker(
        _ name: String = "worker", slots: Int = 64, _ settings: [String: String] = [:]
    ) async throws -> SwitchyardProcess {
        let before = try await probe.workerCount()
        let process = try await start(
            .work, name: name, settings.merging(["WORKER_SLOTS": "\(slots)"]) { mine, _ in mine })
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
        try ProcessTimes(pids().merging(["bench": getpid()]) { own, _ in own }, postmaster: postmaster)
    }

    /// Times, log and clock at one moment.
    func reading() async throws -> DeploymentReading {
        let walBytes = try await probe.walBytes()
        return DeploymentReading(times: try times(), walBytes: walBytes, microseconds: MonotonicClock.microseconds)
    }

    /// What a process holds that was started under this name.
    func state(of name: String) throws -> ProcessState {
        guard let pid = pids()[name], let state = ProcessState(pid) else {
            throw BenchmarkFailure(["the process «\(name)» does not run"])
        }
        return state
    }

    private func pids() -> [String: pid_t] {
        var pids: [String: pid_t] = [:]
        for (name, child) in started.withLock({ $0 }) where child.isRunning { pids[name] = child.pid }
        return pids
    }

    /// A program that was built beside this one.
    static func sibling(_ name: String) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/"
            + name
    }
}

/// What was spent and written up to a moment, to be compared with an earlier one.
struct DeploymentReading: Sendable {
    let times: ProcessTimes
    let walBytes: Int64
    /// Of the simulator's clock.
    let microseconds: Int64
}

extension BenchmarkDeployment {
    /// Runs a body with everything that so many streams at once need: provider, API and one worker.
    static func withStreams<Value>(
        _ count: Int, _ body: (BenchmarkDeployment, APIClient) async throws -> Value
    ) async throws -> Value {
        try await with { deployment in
            try await deployment.startSimulator()
            let api = try await deployment.startAPI()
            // A quarter of the slots is not for replies to take from others, but they may use all.
            try await deployment.startWorker(slots: min(10_000, max(64, count * 2)))
            return try await body(deployment, api)
        }
    }
}
