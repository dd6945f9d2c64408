// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime
import TestSupport

/// How many streams run at once: more and more of them, until tokens come late or not at all.
struct StreamCapacityScenario: Scenario {
    let name = "stream-capacity"
    let summary = "most streams × 20 tokens/s with delay p99 < 100 ms and no loss; in steps up to N (3000)"

    static let tokensPerSecond = 20
    static let limitMilliseconds = 100.0

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let window = options.duration(quick: 3, normal: 6, full: 15)
        var search = CapacitySearch(limit: options.count(quick: 600, normal: 3000, full: 3000))
        var results: [StreamLoadResult] = []
        while let count = search.next {
            let result = try await Self.measure(count, window)
            SwitchyardBench.write(Self.line(result), to: STDERR_FILENO)
            search.tried(count, holds: Self.holds(result))
            results.append(result)
        }
        return Self.figures(
            results.first { $0.load.streamCount == search.best },
            results.first { $0.load.streamCount == search.failed })
    }

    private static func measure(_ count: Int, _ window: Duration) async throws -> StreamLoadResult {
        let load = StreamLoad(streamCount: count, tokensPerSecond: tokensPerSecond, window: window)
        return try await BenchmarkDeployment.withStreams(count) { deployment, api in
            try await load.run(api, deployment)
        }
    }

    /// A machine too slow to make the load has not shown that the load is borne.
    static func holds(_ result: StreamLoadResult) -> Bool {
        !result.hasLoss && result.delays[0.99] < limitMilliseconds && result.pacePercent >= 98
    }

    private static func figures(_ best: StreamLoadResult?, _ failed: StreamLoadResult?) -> [Figure] {
        var figures = [Figure("streams", Double(best?.load.streamCount ?? 0), "", .atLeast(1200))]
        if let best {
            figures += [
                Figure("delay p50 there", best.delays.median, "ms"), Figure("delay p99 there", best.delays[0.99], "ms"),
                Figure("first token p99 there", best.firstTokens[0.99], "ms"),
            ]
            figures += best.loadFigures
            figures += best.costFigures()
        }
        if let failed {
            figures += [
                Figure("too many streams", Double(failed.load.streamCount), ""),
                Figure("delay p99 with too many", failed.delays[0.99], "ms"),
                Figure("tokens lost with too many", Double(failed.lostTokenCount), ""),
                Figure("pace with too many", failed.pacePercent, "%"),
            ]
        }
        return figures
    }

    static func line(_ result: StreamLoadResult) -> String {
        let cpu = result.spent.map { "\($0.name) \(Figure.text($0.seconds))" }.joined(separator: ", ")
        return """
            \(result.load.streamCount) streams: p50 \(Figure.text(result.delays.median)) ms, \
            p99 \(Figure.text(result.delays[0.99])) ms, lost \(result.lostTokenCount), \
            misplaced \(result.misplacedTokenCount), pace \(Figure.text(result.pacePercent)) %, CPU s: \(cpu)
            \(result.complaints.prefix(1).map { $0 + "\n" }.joined())
            """
    }
}

/// The number of streams that must run without loss, whatever the machine does besides.
struct FiveHundredStreamsScenario: Scenario {
    let name = "stream-500"
    let summary = "500 streams × 20 tokens/s for 10 s: nothing may be lost"

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let load = StreamLoad(
            streamCount: options.count ?? 500, tokensPerSecond: StreamCapacityScenario.tokensPerSecond,
            window: options.duration(quick: 3, normal: 10, full: 60))
        let result = try await BenchmarkDeployment.withStreams(load.streamCount) { deployment, api in
            try await load.run(api, deployment)
        }
        var figures = [
            Figure("delay p50", result.delays.median, "ms"), Figure("delay p99", result.delays[0.99], "ms"),
            Figure("first token p99", result.firstTokens[0.99], "ms"),
        ]
        figures += result.loadFigures
        figures += result.costFigures()
        return figures
    }
}
