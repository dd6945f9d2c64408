// SPDX-License-Identifier: Apache-2.0
import Runtime
import TestSupport

/// What the processes hold: doing nothing, and with many streams at their pace.
struct MemoryScenario: Scenario {
    let name = "memory"
    let summary = "resident memory of API and worker, idle and with N streams (1000) × 5 tokens/s"

    private static let sampling = Duration.milliseconds(250)

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let idle = options.duration(quick: 3, normal: 20, full: 60)
        let load = StreamLoad(
            streamCount: options.count(quick: 200, normal: 1000, full: 1000), tokensPerSecond: 5,
            window: options.duration(quick: 5, normal: 20, full: 60))
        return try await BenchmarkDeployment.withStreams(load.streamCount) { deployment, api in
            // Idle is after a little use: what a first request loads belongs to it.
            _ = try await api.modelID(BenchmarkDeployment.model)
            try await ContinuousClock().sleep(for: idle, tolerance: .zero)
            var figures: [Figure] = []
            for name in ["api", "worker"] {
                let state = try deployment.state(of: name)
                figures.append(Figure("\(name), idle", state.residentBytes / 1e6, "MB", .atMost(40)))
                figures.append(Figure("\(name), idle, its own", state.anonymousBytes / 1e6, "MB"))
            }
            let (result, greatest) = try await withThrowingTaskGroup(of: [String: Double].self) { group in
                group.addTask { try await Self.watch(deployment) }
                let result = try await load.run(api, deployment)
                group.cancelAll()
                return (result, try await group.next() ?? [:])
            }
            let limits: [(String, Figure.Target?)] = [("api", .atMost(120)), ("worker", nil)]
            for (name, limit) in limits {
                figures.append(
                    Figure("\(name) with \(load.streamCount) streams", (greatest[name] ?? .nan) / 1e6, "MB", limit))
            }
            figures += result.loadFigures
            return figures
        }
    }

    /// The greatest resident memory of each process until it is cancelled.
    private static func watch(_ deployment: BenchmarkDeployment) async throws -> [String: Double] {
        var greatest: [String: Double] = [:]
        while await isTimeForSample() {
            for name in ["api", "worker"] {
                let bytes = try deployment.state(of: name).residentBytes
                greatest[name] = max(greatest[name] ?? 0, bytes)
            }
        }
        return greatest
    }

    /// False once it is cancelled.
    private static func isTimeForSample() async -> Bool {
        do { try await ContinuousClock().sleep(for: sampling) } catch { return false }
        return true
    }
}
