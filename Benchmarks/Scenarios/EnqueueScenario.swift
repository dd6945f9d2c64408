// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import Runtime
import TestSupport

/// How fast jobs are stored: many in one statement, and one by one with a commit and a wake-up each; beside both, in
/// turns, the same rows as a bare insert through the same connections. No worker takes any of them.
struct EnqueueScenario: Scenario {
    let name = "enqueue"
    let summary = "bulk (N jobs, 200000) and one by one on 1 and 16 connections, beside a bare insert of the same rows"

    private static let bulk = 10_000
    private static let pairs = 5

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let count = options.count(quick: 40_000, normal: 200_000, full: 1_000_000)
        let stretch = options.duration(quick: 1, normal: 3, full: 10)
        var figures = try await bulk(count)
        for connections in [1, 16] { figures += try await oneByOne(connections, stretch) }
        return figures
    }

    // MARK: Many at once

    private func bulk(_ count: Int) async throws -> [Figure] {
        try await BenchmarkDeployment.with { deployment in
            try await BenchmarkQueue.with(deployment) { queue in
                var (enqueues, inserts): ([Double], [Double]) = ([], [])
                let share = max(Self.bulk, count / Self.pairs)
                for _ in 0..<Self.pairs {
                    enqueues.append(
                        try await rate(share, queue) { _ = try await queue.queue.enqueue($0) })
                    inserts.append(
                        try await rate(share, queue) { try await queue.pool.execute(BareInsert.many($0)) })
                }
                let ratios = zip(enqueues, inserts).map { $0 / $1 * 100 }
                return [
                    Figure("bulk", medianOf: enqueues, "1/s", .atLeast(150_000)),
                    Figure("bulk, bare insert", medianOf: inserts, "1/s"),
                    Figure("bulk of the bare insert", medianOf: ratios, "%"),
                ]
            }
        }
    }

    /// Jobs a second; making them is not counted.
    private func rate(
        _ count: Int, _ queue: BenchmarkQueue, _ store: ([NewJob]) async throws -> Void
    ) async throws -> Double {
        var spent = Duration.zero
        for start in stride(from: 0, to: count, by: Self.bulk) {
            let jobs = (start..<min(start + Self.bulk, count)).map { _ in queue.noop() }
            let begun = ContinuousClock.now
            try await store(jobs)
            spent += begun.elapsed
        }
        return Double(count) / spent.seconds
    }

    // MARK: One by one

    private func oneByOne(_ connections: Int, _ stretch: Duration) async throws -> [Figure] {
        try await BenchmarkDeployment.with { deployment in
            try await BenchmarkQueue.with(deployment, connections: connections) { queue in
                let enqueue: @Sendable () async throws -> Void = {
                    try await queue.submit(queue.noop())
                }
                let insert: @Sendable () async throws -> Void = {
                    try await queue.pool.execute(BareInsert.one(queue.noop()))
                }
                _ = try await repeats(connections, for: .milliseconds(300), enqueue)
                _ = try await repeats(connections, for: .milliseconds(300), insert)
                var (enqueues, inserts): ([Double], [Double]) = ([], [])
                for _ in 0..<Self.pairs {
                    inserts.append(try await repeats(connections, for: stretch, insert))
                    enqueues.append(try await repeats(connections, for: stretch, enqueue))
                }
                let ratios = zip(enqueues, inserts).map { $0 / $1 * 100 }
                let name = "one by one, \(connections) connection\(connections == 1 ? "" : "s")"
                return [
                    Figure(name, medianOf: enqueues, "1/s"),
                    Figure("\(name), bare insert", medianOf: inserts, "1/s"),
                    Figure("\(name), of the bare insert", medianOf: ratios, "%", .atLeast(80)),
                ]
            }
        }
    }

    /// How often a second all callers together get it done; each on a loop, as the product's requests are.
    private func repeats(
        _ callers: Int, for stretch: Duration, _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> Double {
        let loops = try TestCluster.loops.get().loops
        let start = ContinuousClock.now
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for caller in 0..<callers {
                group.addTask {
                    try await LoopDomain(loops[caller % loops.count]).run {
                        var count = 0
                        while start.elapsed < stretch {
                            try await body()
                            count += 1
                        }
                        return count
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) / start.elapsed.seconds
    }
}

/// The rows of enqueued jobs, stored with nothing else: what any queue on this database has to pay.
enum BareInsert {
    static func one(_ job: NewJob) -> SQL {
        """
        INSERT INTO jobs (id, kind, lane, tag, user_id, payload, priority, max_attempts, deadline_ms, created_at, run_at)
        VALUES (\(job.id), \(job.kind.rawValue), \(job.lane.rawValue), 0, \(job.userID),
                \(String(decoding: job.payload, as: UTF8.self)), \(job.priority), \(job.maximumAttempts), 900000, now(),
                now())
        """
    }

    static func many(_ jobs: [NewJob]) -> SQL {
        """
        INSERT INTO jobs (id, kind, lane, tag, user_id, payload, priority, max_attempts, deadline_ms, created_at, run_at)
        SELECT g.id, g.kind, g.lane, 0, g.user_id, g.payload, g.priority, g.max_attempts, 900000, now(), now()
        FROM unnest(\(jobs.map(\.id)), \(jobs.map(\.kind.rawValue)), \(jobs.map(\.lane.rawValue)),
                    \(jobs.map(\.userID)), \(jobs.map { String(decoding: $0.payload, as: UTF8.self) }),
                    \(jobs.map(\.priority)), \(jobs.map(\.maximumAttempts)))
             AS g (id, kind, lane, user_id, payload, priority, max_attempts)
        """
    }
}
