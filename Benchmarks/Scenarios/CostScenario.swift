// SPDX-License-Identifier: Apache-2.0
import Runtime
import TestSupport

/// What a token costs: CPU of API, worker and database, and write-ahead log.
struct CostScenario: Scenario {
    let name = "cost"
    let summary = "CPU and WAL a token with N streams (1050) × 20 tokens/s, and with 50 × 50"
    let rounds = 2

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let window = options.duration(quick: 4, normal: 15, full: 30)
        let many = StreamLoad(
            streamCount: options.count ?? 1050, tokensPerSecond: StreamCapacityScenario.tokensPerSecond, window: window)
        let few = StreamLoad(streamCount: 50, tokensPerSecond: 50, window: window, arrivalsPerSecond: 50)
        return try await BenchmarkDeployment.withStreams(many.streamCount) { deployment, api in
            let fewResult = try await few.run(api, deployment)
            let manyResult = try await many.run(api, deployment)
            var figures = [Figure("tokens a second", manyResult.tokensPerSecond, "1/s", .atLeast(20_000))]
            figures += manyResult.costFigures(target: .atMost(0.06))
            figures.append(Figure("delay p99", manyResult.delays[0.99], "ms"))
            figures.append(Figure("tokens lost", Double(manyResult.lostTokenCount), "", .atMost(0)))
            figures += fewResult.costFigures("50 × 50: ")
            return figures
        }
    }
}
