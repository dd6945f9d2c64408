// SPDX-License-Identifier: Apache-2.0
import JSON
import Jobs
import Persistence
import Postgres
import Runtime
import TestSupport

/// Whether anything grows: short replies and jobs come and go at a steady pace, while what the processes hold is
/// noted. The median of the last third is compared with that of the third before.
struct SoakScenario: Scenario {
    let name = "soak"
    let summary = "memory, descriptors and connections under steady load for 120 s (1800 with --full): nothing may grow"

    private static let repliesPerSecond = 10
    private static let jobsPerSecond = 100
    private static let sampling = Duration.seconds(1)

    /// What was held at one moment, by figure.
    private typealias Sample = [String: Double]

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let stretch = options.duration(quick: 15, normal: 120, full: 1800)
        return try await BenchmarkDeployment.withStreams(64) { deployment, api in
            try await BenchmarkQueue.with(deployment) { queue in
                let end = ContinuousClock.now + stretch
                let (samples, replies, jobs) = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                    group.addTask { (try await Self.replies(api, until: end), 0) }
                    group.addTask { (0, try await Self.jobs(queue, until: end)) }
                    let samples = try await Self.watch(deployment, queue, until: end)
                    let counts = try await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
                    return (samples, counts.0, counts.1)
                }
                var figures = Self.figures(samples)
                figures.append(Figure("replies", Double(replies), ""))
                figures.append(Figure("jobs", Double(jobs), ""))
                figures.append(Figure("jobs left", Double(try await Self.left(queue)), "", .atMost(0)))
                return figures
            }
        }
    }

    private static func figures(_ samples: [Sample]) -> [Figure] {
        let third = samples.count / 3
        let (middle, last) = (samples[third..<(2 * third)], samples[(2 * third)...])
        return (samples.first ?? [:]).keys.sorted().flatMap { (name: String) -> [Figure] in
            let earlier = Percentiles(middle.compactMap { $0[name] }).median
            let later = Percentiles(last.compactMap { $0[name] }).median
            if name.hasPrefix("memory") {
                return [
                    Figure(name, later / 1e6, "MB"),
                    Figure("\(name), growth", (later / earlier - 1) * 100, "%", .atMost(5)),
                ]
            }
            // Replies under way differ from moment to moment, by as many as a second brings.
            return [
                Figure(name, later, ""),
                Figure("\(name), growth", later - earlier, "", .atMost(Double(repliesPerSecond))),
            ]
        }
    }

    private static func watch(
        _ deployment: BenchmarkDeployment, _ queue: BenchmarkQueue, until end: ContinuousClock.Instant
    ) async throws -> [Sample] {
        var samples: [Sample] = []
        while ContinuousClock.now < end {
            var sample: Sample = [:]
            for name in ["api", "worker"] {
                let state = try deployment.state(of: name)
                sample["memory of \(name)"] = state.anonymousBytes
                sample["descriptors of \(name)"] = state.descriptorCount
                sample["threads of \(name)"] = state.threadCount
            }
            sample["connections to the database"] = Double(
                try await queue.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"))
            samples.append(sample)
            try await ContinuousClock().sleep(for: sampling)
        }
        return samples
    }

    /// Replies of a second each, in sessions of their own.
    private static func replies(_ api: APIClient, until end: ContinuousClock.Instant) async throws -> Int {
        let model = try await api.modelID(BenchmarkDeployment.model)
        let message = simulate(["tokens": "50", "itl": "20ms", "stamp": "1"])
        let clients = try TestCluster.loops.get().loops.map { StreamClient(api.address, on: $0) }
        let arrivals = OpenLoop(interval: Duration.seconds(1) / repliesPerSecond)
        var number = 0
        while ContinuousClock.now < end {
            let due = try await arrivals.arrival(number)
            let session = try await api.newTitledSession(modelID: model)
            await clients[number % clients.count].open(
                api.chatRequest(message, session: session), expectingTokens: 50, at: due)
            number += 1
        }
        for client in clients {
            await client.waitForAll(.ended, until: .now + .seconds(30))
            let outcome = await client.outcome()
            if outcome.brokenCount > 0 { throw BenchmarkFailure(outcome.complaints) }
        }
        return number
    }

    private static func jobs(_ queue: BenchmarkQueue, until end: ContinuousClock.Instant) async throws -> Int {
        let arrivals = OpenLoop(interval: Duration.seconds(1) / jobsPerSecond)
        var number = 0
        while ContinuousClock.now < end {
            _ = try await arrivals.arrival(number)
            try await queue.submit(queue.noop())
            number += 1
        }
        return number
    }

    /// Jobs that have not ended when a moment has passed in which they should have.
    private static func left(_ queue: BenchmarkQueue) async throws -> Int64 {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            let left = try await queue.count("SELECT count(*) FROM jobs WHERE state IS NULL")
            if left == 0 || ContinuousClock.now > deadline { return left }
            try await ContinuousClock().sleep(for: .milliseconds(50))
        }
    }
}
