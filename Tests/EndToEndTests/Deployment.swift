// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport
import Testing

/// All tests of whole processes. One after the other, because each takes what the machine has.
@Suite(.serialized, .timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil)) enum EndToEnd {}

/// The product as it is deployed: processes, a database, and a provider that does what a message asks it to.
struct Deployment: Sendable {
    /// The model string of the simulated provider.
    static let model = "sim/text"

    /// The name of a database on the shared server, or the URL of another.
    let database: String
    let simulator: ProviderSimulator
    private let environment: [String: String]
    private let started = Recorder<[SwitchyardProcess]>([])

    /// Starts processes on a migrated database of their own, waits until the APIs listen, and ends them all
    /// afterwards. No process may log an error on its way unless that is meant.
    static func with(
        _ roles: SwitchyardProcess.Role..., environment: [String: String] = [:], database: String? = nil,
        mayLogErrors: Bool = false, _ body: (Deployment, [SwitchyardProcess]) async throws -> Void
    ) async throws {
        guard let database else {
            let template = try await TestCluster.migratedTemplate()
            return try await TestCluster.withDatabase(template: template) { name in
                try await run(roles, environment, name, mayLogErrors, body)
            }
        }
        try await run(roles, environment, database, mayLogErrors, body)
    }

    private static func run(
        _ roles: [SwitchyardProcess.Role], _ environment: [String: String], _ database: String, _ mayLogErrors: Bool,
        _ body: (Deployment, [SwitchyardProcess]) async throws -> Void
    ) async throws {
        let simulator = try ProviderSimulator()
        defer { simulator.stop() }
        var variables = [
            "OPENAI_BASE_URL": simulator.baseURL, "OPENAI_API_KEY": "sk-simulated", "OPENAI_MODELS": model,
        ]
        variables.merge(environment) { $1 }
        let deployment = Deployment(database: database, simulator: simulator, environment: variables)
        let result: Result<Void, any Error>
        do {
            for role in roles { _ = try await deployment.start(role) }
            let processes = deployment.started.withLock { $0 }
            for process in processes where process.role != .work { _ = try await process.address() }
            result = .success(try await body(deployment, processes))
        } catch { result = .failure(error) }
        let processes = deployment.started.withLock { $0 }
        for process in processes {
            process.kill()
            await process.child.exitStatus()
            if !mayLogErrors { #expect(process.lines(level: "error") == [], "\(process.role) must log no error") }
            if case .failure = result {
                Attachment.record(process.child.lines.elements.joined(separator: "\n"), named: "\(process.role).log")
            }
        }
        try result.get()
    }

    /// One process more.
    func start(_ role: SwitchyardProcess.Role, environment: [String: String] = [:]) async throws -> SwitchyardProcess {
        let process = try await SwitchyardProcess.start(
            role, database: database, environment: self.environment.merging(environment) { $1 })
        started.withLock { $0.append(process) }
        return process
    }
}

extension SwitchyardProcess {
    /// A client of this process's API.
    func client() async throws -> APIClient { APIClient(try await address()) }
}

/// A message that tells the simulated provider what to do.
func simulate(_ scenario: JSONObject) -> String {
    String(decoding: JSONWriter.encode(["simulator": .object(scenario)]), as: UTF8.self)
}
