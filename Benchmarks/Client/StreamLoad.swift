// SPDX-License-Identifier: Apache-2.0
import JSON
import Runtime
import TestSupport

/// Many replies at once: requests arrive at times fixed beforehand, each brings tokens at a fixed pace, and what is
/// counted is a window in which all of them run.
struct StreamLoad: Sendable {
    var streamCount: Int
    var tokensPerSecond: Int
    /// How long all of them run and are measured.
    var window: Duration
    /// Requests a second until all run.
    var arrivalsPerSecond = 400

    /// Between the last request and the window: its stream is to run by then.
    private static let settling = Duration.seconds(1)
    /// After the window, and until what is late counts as lost.
    private static let (run, patience) = (Duration.milliseconds(500), Duration.seconds(15))

    private var ramp: Duration { offset(ofArrival: streamCount) }

    private func offset(ofArrival number: Int) -> Duration {
        let interval = Duration.seconds(1) / arrivalsPerSecond
        return interval * number
    }

    private var tokenCount: Int {
        let length: Duration = ramp + Self.settling + window + Self.run
        return Int(length.seconds * Double(tokensPerSecond))
    }

    /// Runs it once, in sessions of its own.
    func run(_ api: APIClient, _ deployment: BenchmarkDeployment) async throws -> StreamLoadResult {
        let model = try await api.modelID(BenchmarkDeployment.model)
        let sessions = try await api.newTitledSessions(streamCount, modelID: model)
        let loops = try TestCluster.loops.get().loops
        let clients = loops.map { StreamClient(api.address, on: $0) }
        let message = simulate([
            "tokens": .string("\(tokenCount)"), "stamp": "1",
            "itl": .string("\(1_000_000 / tokensPerSecond)us"),
        ])
        let start: ContinuousClock.Instant = .now + Duration.milliseconds(200)
        for (number, session) in sessions.enumerated() {
            let request = api.chatRequest(message, session: session)
            await clients[number % clients.count].open(
                request, expectingTokens: tokenCount, at: start + offset(ofArrival: number))
        }

        let opening: ContinuousClock.Instant = start + ramp + Self.settling
        let closing: ContinuousClock.Instant = opening + window
        try await ContinuousClock().sleep(until: opening, tolerance: .zero)
        let before = try await deployment.reading()
        try await ContinuousClock().sleep(until: closing, tolerance: .zero)
        let after = try await deployment.reading()

        var outcomes: [StreamClient.Outcome] = []
        let deadline: ContinuousClock.Instant = closing + ramp + Self.patience
        for client in clients {
            await client.waitForAll(.ended, until: deadline)
            outcomes.append(await client.outcome())
            await client.closeAll()
        }
        return StreamLoadResult(self, tokenCount: tokenCount, outcomes, before, after)
    }
}

/// What a load came to.
struct StreamLoadResult: Sendable {
    let load: StreamLoad
    /// Of tokens sent in the window, in milliseconds.
    let delays: Percentiles
    let firstTokens: Percentiles
    let lostTokenCount: Int
    let misplacedTokenCount: Int
    let brokenCount: Int
    let complaints: [String]
    /// Of all streams, from their first to their last.
    let tokenCount: Int
    /// Sent in the window.
    let windowTokenCount: Int
    let tokensPerSecond: Double
    let walBytes: Double
    let spent: [(name: String, seconds: Double)]

    init(
        _ load: StreamLoad, tokenCount: Int, _ outcomes: [StreamClient.Outcome], _ before: DeploymentReading,
        _ after: DeploymentReading
    ) {
        self.load = load
        let window = before.microseconds..<max(before.microseconds + 1, after.microseconds)
        let samples = outcomes.lazy.flatMap(\.samples)
        delays = Percentiles(
            samples.filter { window.contains($0.sentMicroseconds) }.map { Double($0.delayMicroseconds) / 1000 })
        firstTokens = Percentiles(outcomes.flatMap(\.firstTokenMilliseconds))
        // A stream whose request was never opened has lost all of its tokens.
        let known = outcomes.reduce(0) { $0 + $1.samples.count }
        lostTokenCount = max(0, load.streamCount * tokenCount - known)
        misplacedTokenCount = outcomes.reduce(0) { $0 + $1.misplacedTokenCount }
        brokenCount = outcomes.reduce(0) { $0 + $1.brokenCount }
        complaints = outcomes.flatMap(\.complaints)
        self.tokenCount = known
        windowTokenCount = delays.count
        tokensPerSecond = Double(delays.count) * 1e6 / Double(window.count)
        walBytes = Double(after.walBytes - before.walBytes)
        spent = after.times.since(before.times)
    }

    /// The tokens that were sent, of those that the pace asks for, in percent: less than 100 means that the machine
    /// was too slow to make the load, and that the delays are better than they would have been.
    var pacePercent: Double { tokensPerSecond / Double(load.streamCount * load.tokensPerSecond) * 100 }
    var hasLoss: Bool { lostTokenCount > 0 || misplacedTokenCount > 0 || brokenCount > 0 }

    func perThousandTokens(_ seconds: Double) -> Double { seconds * 1000 / Double(max(1, windowTokenCount)) }

    /// CPU of API, worker and database.
    var productSeconds: Double {
        spent.filter { !["bench", "simulator"].contains($0.name) }.reduce(0) { $0 + $1.seconds }
    }

    /// Whether the load was as planned, and borne without loss.
    var loadFigures: [Figure] {
        [
            Figure("tokens lost", Double(lostTokenCount), "", .atMost(0)),
            Figure("tokens out of order", Double(misplacedTokenCount), "", .atMost(0)),
            Figure("streams that ended otherwise", Double(brokenCount), "", .atMost(0)),
            Figure("tokens", Double(windowTokenCount), ""), Figure("tokens a second", tokensPerSecond, "1/s"),
            Figure("of the planned pace", pacePercent, "%", .atLeast(98)),
        ]
    }

    /// CPU of every process and WAL.
    func costFigures(_ prefix: String = "", target: Figure.Target? = nil) -> [Figure] {
        var figures = [
            Figure("\(prefix)CPU of the product per 1000 tokens", perThousandTokens(productSeconds), "s", target),
            Figure("\(prefix)WAL a token", walBytes / Double(max(1, windowTokenCount)), "bytes"),
        ]
        for (name, seconds) in spent {
            figures.append(Figure("\(prefix)CPU of \(name) per 1000 tokens", perThousandTokens(seconds), "s"))
        }
        return figures
    }
}
