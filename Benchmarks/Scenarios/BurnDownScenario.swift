// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport

/// How fast a backlog of jobs that do nothing is worked off, counted when all of them have ended and are on disk; and
/// beside it what the queue's statements do alone, what the database does with them without any of this, and what other
/// queues do on the same machine.
struct BurnDownScenario: Scenario {
    let name = "burn-down"
    let summary = "N no-op jobs (200000) by a worker, by statements alone, by pgbench, and by other queues with --peers"
    let rounds = 3

    /// Jobs that run at once, and what a claim takes at most.
    private static let slots = 2000
    private static let statementBatch = 500
    private static let patience = Duration.seconds(120)

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let count = options.count(quick: 20_000, normal: 200_000, full: 200_000)
        var figures = try await worker(count)
        let rate = figures.first { $0.name == "worker" }?.value ?? 0
        for connections in [1, 2] { figures.append(try await statements(count, connections: connections)) }
        if let pgbench = Pgbench.find() {
            let bare = try await self.bare(count, pgbench)
            figures.append(Figure("pgbench, bare statements, 2 connections", bare, "1/s"))
            figures.append(Figure("worker of pgbench", rate / bare * 100, "%", .atLeast(50)))
        }
        guard options.measuresPeers else { return figures }
        figures += try await peers(rate, options)
        return figures
    }

    private func bare(_ count: Int, _ pgbench: Pgbench) async throws -> Double {
        try await BenchmarkDeployment.with { deployment in
            try await BenchmarkQueue.with(deployment) { queue in
                _ = try await enqueue(count, queue)
                try await queue.pool.execute("CHECKPOINT")
                let start = ContinuousClock.now
                try await pgbench.run(
                    database: deployment.database, batch: Self.statementBatch, connections: 2,
                    transactions: count / Self.statementBatch / 2 + 1)
                let took = start.elapsed.seconds
                try await requireDrained(queue, count)
                return Double(count) / took
            }
        }
    }

    private func peers(_ rate: Double, _ options: BenchmarkOptions) async throws -> [Figure] {
        let runner = try PeerQueue.find()
        var figures: [Figure] = []
        for peer in PeerQueue.all {
            let count = options.count(quick: peer.count / 10, normal: peer.count, full: peer.count * 5)
            let result = try await runner.run(peer, count: count)
            let name = "\(result.version), \(peer.setting)"
            figures.append(Figure(name, result.jobsPerSecond, "1/s"))
            figures.append(Figure("\(name), bulk enqueue", result.enqueuedPerSecond, "1/s"))
            figures.append(Figure("worker ÷ \(name)", rate / result.jobsPerSecond, "×", peer.target))
        }
        return figures
    }

    /// A worker process that finds the backlog when it starts.
    private func worker(_ count: Int) async throws -> [Figure] {
        try await BenchmarkDeployment.with { deployment in
            try await BenchmarkQueue.with(deployment) { queue in
                let enqueued = try await enqueue(count, queue)
                try await queue.pool.execute("CHECKPOINT")
                let wal = try await deployment.probe.walBytes()
                try await deployment.startWorker(slots: Self.slots)
                try await drained(queue, count)
                let end = try await deployment.probe.now()
                let start = try await queue.count(
                    "SELECT (extract(epoch FROM min(started_at)) * 1000000)::bigint FROM jobs")
                let spent = try deployment.times().seconds
                let bytes = Double(try await deployment.probe.walBytes() - wal)
                return [
                    Figure("worker", Double(count) * 1e6 / Double(end - start), "1/s", .atLeast(65_000)),
                    Figure("bulk enqueue", enqueued, "1/s", .atLeast(150_000)),
                    Figure("worker's CPU a job", (spent["worker"] ?? 0) * 1e6 / Double(count), "µs"),
                    Figure("WAL a job", bytes / Double(count), "bytes"), Figure("jobs", Double(count), ""),
                ]
            }
        }
    }

    /// Claims and ends in loops of this process, without handlers, leases in memory, or anything else of a worker.
    private func statements(_ count: Int, connections: Int) async throws -> Figure {
        try await BenchmarkDeployment.with { deployment in
            try await BenchmarkQueue.with(deployment) { queue in
                _ = try await enqueue(count, queue)
                try await queue.pool.execute("CHECKPOINT")
                let start = ContinuousClock.now
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<connections {
                        group.addTask {
                            let worker: WorkerID = queue.ids.next()
                            let limit = ClaimLimit(total: Self.statementBatch, background: Self.statementBatch)
                            while case let jobs = try await queue.queue.claim(limit, worker: worker), !jobs.isEmpty {
                                _ = try await queue.queue.complete(
                                    jobs.map { CompletedRun(lease: $0.lease, result: nil) })
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let took = start.elapsed.seconds
                try await requireDrained(queue, count)
                let plural = connections == 1 ? "" : "s"
                return Figure("statements, \(connections) connection\(plural)", Double(count) / took, "1/s")
            }
        }
    }

    /// - Returns: jobs a second.
    private func enqueue(_ count: Int, _ queue: BenchmarkQueue) async throws -> Double {
        var spent = Duration.zero
        for start in stride(from: 0, to: count, by: 10_000) {
            let jobs = (start..<min(start + 10_000, count)).map { _ in queue.noop() }
            let begun = ContinuousClock.now
            _ = try await queue.queue.enqueue(jobs)
            spent += begun.elapsed
        }
        try await queue.pool.execute("ANALYZE jobs, ready, running")
        return Double(count) / spent.seconds
    }

    private func drained(_ queue: BenchmarkQueue, _ count: Int) async throws {
        let deadline = ContinuousClock.now + Self.patience
        // The newest job ends about last; asking for it costs nothing, counting them all does.
        let last: SQL =
            "SELECT count(*) FROM (SELECT state FROM jobs ORDER BY id DESC LIMIT 1) j WHERE state IS NOT NULL"
        while try await queue.count(last) == 0 {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkFailure(["jobs were left when the time was over"])
            }
            try await ContinuousClock().sleep(for: .milliseconds(10))
        }
        while try await !isDrained(queue, count) {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkFailure(["jobs were left when the time was over"])
            }
            try await ContinuousClock().sleep(for: .milliseconds(2))
        }
    }

    private func isDrained(_ queue: BenchmarkQueue, _ count: Int) async throws -> Bool {
        if try await queue.count("SELECT count(*) FROM (SELECT FROM running LIMIT 1) r") > 0 { return false }
        return try await queue.count("SELECT count(*) FROM jobs WHERE state = 4") == count
    }

    private func requireDrained(_ queue: BenchmarkQueue, _ count: Int) async throws {
        guard try await isDrained(queue, count) else {
            throw BenchmarkFailure(["jobs were left when the time was over"])
        }
    }
}
