// SPDX-License-Identifier: Apache-2.0
import Runtime
import TestSupport

/// How long a token takes from the provider's socket to the client's, while many streams run: the provider writes the
/// time of its sending into each token and sends by its own schedule.
struct TokenDelayScenario: Scenario {
    let name = "token-delay"
    let summary = "provider's write → client a token; N streams (50) × 50 tokens/s for 10 s (30 with --full)"
    let rounds = 3

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let load = StreamLoad(
            streamCount: options.count ?? 50, tokensPerSecond: 50,
            window: options.duration(quick: 3, normal: 10, full: 30), arrivalsPerSecond: 50)
        let result = try await BenchmarkDeployment.withStreams(load.streamCount) { deployment, api in
            try await load.run(api, deployment)
        }
        var figures = [
            Figure("delay p50", result.delays.median, "ms", .atMost(2)),
            Figure("delay p99", result.delays[0.99], "ms", .atMost(10)),
            Figure("delay p99.9", result.delays[0.999], "ms"), Figure("delay maximum", result.delays.maximum, "ms"),
            Figure("first token p50", result.firstTokens.median, "ms"),
            Figure("first token p99", result.firstTokens[0.99], "ms"),
        ]
        figures += result.loadFigures
        figures += result.costFigures()
        return figures
    }
}
