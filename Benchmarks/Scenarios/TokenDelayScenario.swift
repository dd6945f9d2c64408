// SPDX-License-Identifier: Apache-2.0
import JSON
import Runtime
import TestSupport

/// How long a token takes from the provider's socket to the client's, while many streams run: the provider writes the
/// time of its sending into each token and sends by its own schedule.
struct TokenDelayScenario: Scenario {
    let name = "token-delay"
    let summary = "provider's write → client's frame a token; N streams (50) × 50 tokens/s for 10 s (30 with --full)"

    private static let tokensPerSecond = 50

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let streamCount = options.count ?? 50
        let seconds = options.isFull ? 30 : 10
        return try await BenchmarkDeployment.with { deployment in
            _ = try await deployment.startSimulator()
            let api = try await deployment.startAPI()
            try await deployment.startWorker(slots: streamCount * 2)
            let model = try await api.modelID(BenchmarkDeployment.model)
            var sessions: [String] = []
            for _ in 0..<streamCount { sessions.append(try await api.newTitledSession(modelID: model)) }

            _ = try await runStreams(api, sessions, tokens: Self.tokensPerSecond)
            let (times, wal, start) = (
                try deployment.times(), try await deployment.probe.walBytes(), ContinuousClock.now
            )
            let delays = try await runStreams(api, sessions, tokens: Self.tokensPerSecond * seconds)
            let took = start.elapsed.seconds
            let spent = try deployment.times().since(times)
            let walBytes = Double(try await deployment.probe.walBytes() - wal)

            let (measured, count) = (Percentiles(delays), Double(delays.count))
            let product = spent.filter { !["bench", "simulator"].contains($0.name) }.reduce(0) { $0 + $1.seconds }
            let expected = Double(streamCount * Self.tokensPerSecond * seconds)
            return [
                Figure("delay p50", measured.median, "ms", .atMost(2)),
                Figure("delay p99", measured[0.99], "ms", .atMost(10)),
                Figure("delay p99.9", measured[0.999], "ms"), Figure("delay maximum", measured.maximum, "ms"),
                Figure("tokens lost", expected - count, "", .atMost(0)), Figure("tokens", count, ""),
                Figure("tokens a second", count / took, "1/s"), Figure("WAL a token", walBytes / count, "bytes"),
                Figure("CPU of the product per 1000 tokens", product * 1000 / count, "s"),
            ] + spent.map { Figure("CPU of \($0.name) per 1000 tokens", $0.seconds * 1000 / count, "s") }
        }
    }

    /// The delays of all tokens of all streams, which start spread over the interval between two tokens.
    private func runStreams(_ api: APIClient, _ sessions: [String], tokens: Int) async throws -> [Double] {
        let interval = Duration.seconds(1) / Self.tokensPerSecond
        let message = simulate([
            "tokens": .string("\(tokens)"), "stamp": "1", "ttft": "200ms",
            "itl": .string("\(1000 / Self.tokensPerSecond)ms"),
        ])
        let arrivals = OpenLoop(interval: interval / sessions.count)
        let loops = try TestCluster.loops.get()
        return try await withThrowingTaskGroup(of: [Double].self) { group in
            for (number, session) in sessions.enumerated() {
                let home = LoopDomain(loops.loops[number % loops.loops.count])
                group.addTask {
                    try await home.run {
                        _ = try await arrivals.arrival(number)
                        return try await delays(of: try await api.post(message, to: session), patience: tokens)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func delays(of stream: ReplyStream, patience tokens: Int) async throws -> [Double] {
        var delays: [Double] = []
        delays.reserveCapacity(tokens)
        while let frame = try await stream.exchange.frame(within: .seconds(30)) {
            let now = MonotonicClock.microseconds
            if frame.event == "error" { throw BenchmarkFailure([frame.text]) }
            guard frame.event == "content", let text = frame["content"] else { continue }
            // `<number>@<microseconds> `, several of them where tokens came together.
            for stamp in text.split(separator: " ") {
                guard let sent = stamp.split(separator: "@").last.flatMap({ Int64($0) }) else { continue }
                delays.append(Double(now - sent) / 1000)
            }
        }
        return delays
    }
}
