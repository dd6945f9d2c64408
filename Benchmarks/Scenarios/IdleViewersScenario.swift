// SPDX-License-Identifier: Apache-2.0
import JSON
import Runtime
import TestSupport

/// What a viewer costs that only watches: replies whose provider says nothing for a long time, watched on many
/// connections that get nothing but heartbeats.
struct IdleViewersScenario: Scenario {
    let name = "idle-viewers"
    let summary = "memory a connection and CPU of heartbeats with N open streams (10000) on 100 silent replies"

    private static let replyCount = 100
    private static let firstCount = 200
    private static let connectionsPerSecond = 2000
    private static let heartbeat = Duration.seconds(15)

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let count = options.count(quick: 1000, normal: 10_000, full: 10_000)
        let window = options.duration(quick: 15, normal: 60, full: 180)
        return try await BenchmarkDeployment.with { deployment in
            let provider = APIClient(try await deployment.startSimulator())
            let api = try await deployment.startAPI()
            let patient = ["PROVIDER_MAX_IDLE_MS": "3600000", "PROVIDER_TIMEOUT_MS": "3600000"]
            try await deployment.startWorker(slots: 4 * Self.replyCount, patient)
            let model = try await api.modelID(BenchmarkDeployment.model)
            var replies: [String] = []
            for session in try await api.newTitledSessions(Self.replyCount, modelID: model) {
                let stream = try await api.post(simulate(["tokens": "1", "ttft": "3000s"]), to: session)
                replies.append(stream.messageID)
                await stream.close()
            }
            try await allAsked(provider)

            let loops = try TestCluster.loops.get().loops
            let clients = loops.map { StreamClient(api.address, on: $0) }
            // What the first connections make the process set aside is not what one more of them costs.
            try await open(clients, Self.firstCount, api, replies)
            let before = try deployment.state(of: "api")
            try await open(clients, count, api, replies)
            let after = try deployment.state(of: "api")

            let (start, earlierBeats) = (try await deployment.reading(), await heartbeats(clients))
            try await ContinuousClock().sleep(for: window, tolerance: .zero)
            let (end, beats) = (try await deployment.reading(), await heartbeats(clients))
            let seconds = Double(end.microseconds - start.microseconds) / 1e6
            let spent = end.times.since(start.times)
            let later = try deployment.state(of: "api")
            var open = 0
            for client in clients {
                let outcome = await client.outcome()
                open += outcome.openCount - outcome.endedCount
                await client.closeAll()
            }
            let due = Double(open) * seconds / Self.heartbeat.seconds
            let cpu = spent.first { $0.name == "api" }?.seconds ?? 0
            func aConnection(_ state: ProcessState) -> Double {
                (state.anonymousBytes - before.anonymousBytes) / Double(count)
            }
            var figures = [
                Figure("memory a connection", aConnection(after), "bytes", .atMost(2048)),
                Figure("memory a connection later", aConnection(later), "bytes", .atMost(2048)),
                Figure("CPU of the API", cpu / seconds * 100, "%", .atMost(5)),
                Figure("heartbeats of those due", Double(beats - earlierBeats) / due * 100, "%", .atLeast(90)),
                Figure("connections open", Double(open), "", .atLeast(Double(count + Self.firstCount))),
                Figure("memory of the API", later.residentBytes / 1e6, "MB"),
            ]
            for (name, spent) in spent where name != "api" {
                figures.append(Figure("CPU of \(name)", spent / seconds * 100, "%"))
            }
            return figures
        }
    }

    /// Waits until the provider has every call, so that all replies run.
    private func allAsked(_ provider: APIClient) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let answer = try await provider.send("GET", "/control/requests")
            if answer.json["requests"]?.arrayValue?.count ?? 0 >= Self.replyCount { return }
            guard ContinuousClock.now < deadline else { throw BenchmarkFailure(["not all replies were begun"]) }
            try await ContinuousClock().sleep(for: .milliseconds(100))
        }
    }

    /// Opens so many more.
    private func open(
        _ clients: [StreamClient], _ count: Int, _ api: APIClient, _ replies: [String]
    ) async throws {
        let start = ContinuousClock.now
        let interval = Duration.seconds(1) / Self.connectionsPerSecond
        for number in 0..<count {
            await clients[number % clients.count].open(
                api.watchRequest(replies[number % replies.count]), expectingTokens: 0,
                at: start + interval * number)
        }
        for client in clients {
            await client.waitForAll(.open, until: .now + .seconds(60))
            let outcome = await client.outcome()
            guard outcome.endedCount == 0, outcome.openCount == outcome.count else {
                throw BenchmarkFailure(
                    ["\(outcome.openCount) of \(outcome.count) connections open, \(outcome.endedCount) ended"])
            }
        }
    }

    private func heartbeats(_ clients: [StreamClient]) async -> Int {
        var count = 0
        for client in clients { count += await client.heartbeatCount }
        return count
    }
}
