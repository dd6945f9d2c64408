// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport

/// What a transaction does to claims that somebody leaves open: nothing that was deleted since can be cleared away, and
/// the upkeep of the token log has to get past it. Jobs come at a steady pace and are claimed and ended by this
/// process, one claim at a time, so that the claim alone is timed; the number of claims is fixed, so slow ones cannot
/// hide others.
struct HeldTransactionScenario: Scenario {
    let name = "held-transaction"
    let summary = "claim p99 under steady load while a transaction is open for 60 s (600 with --full) ÷ before"

    /// Jobs a second, in groups that come at fixed times.
    private static let (jobsPerSecond, groupsPerSecond) = (1000, 50)
    private static let upkeepInterval = Duration.seconds(2)

    /// What one group cost, in milliseconds.
    private struct Group: Sendable {
        let due: ContinuousClock.Instant
        let claim: Double
        /// Of one event to the token log.
        let append: Double
    }

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let held = options.duration(quick: 10, normal: 60, full: 600)
        let baseline = min(Duration.seconds(60), max(Duration.seconds(5), held / 3))
        return try await BenchmarkDeployment.with { deployment in
            try await BenchmarkQueue.with(deployment, connections: 6) { queue in
                try await Self.makeOldPartition(queue)
                _ = try await Self.load(.seconds(2), queue)
                let before = try await Self.load(baseline, queue)
                let (during, refusals) = try await TestCluster.withConnection(to: deployment.database) { holder in
                    try await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    // Reads what claims and upkeep change, and so keeps a lock on each as well as a snapshot.
                    try await holder.execute("SELECT (SELECT count(*) FROM ready), (SELECT count(*) FROM events)")
                    let result = try await withThrowingTaskGroup(of: Int.self) { group in
                        group.addTask { try await Self.upkeep(queue, for: held) }
                        let groups = try await Self.load(held, queue)
                        return (groups, try await group.next() ?? 0)
                    }
                    try await holder.execute("ROLLBACK")
                    return result
                }
                let after = try await Self.load(baseline, queue)
                return Self.figures(before, during, after, held, refusals)
            }
        }
    }

    private static func figures(
        _ before: [Group], _ during: [Group], _ after: [Group], _ held: Duration, _ refusals: Int
    ) -> [Figure] {
        let (start, end) = (during.first?.due ?? .now, during.last?.due ?? .now)
        let lastFifth: ContinuousClock.Instant = end - start.duration(to: end) / 5
        let last = during.filter { $0.due > lastFifth }
        func claims(_ groups: [Group]) -> Percentiles { Percentiles(groups.map(\.claim)) }
        let (base, whole, final) = (claims(before), claims(during), claims(last))
        return [
            Figure("claim p99 while held ÷ before", whole[0.99] / base[0.99], "×", .atMost(2)),
            Figure("claim p99 in the last fifth ÷ before", final[0.99] / base[0.99], "×", .atMost(2)),
            Figure("claim p50 before", base.median, "ms"), Figure("claim p99 before", base[0.99], "ms"),
            Figure("claim p50 in the last fifth", final.median, "ms"),
            Figure("claim p99 while held", whole[0.99], "ms"),
            Figure("claim p99 in the last fifth", final[0.99], "ms"),
            Figure("claim p99 after", claims(after)[0.99], "ms"),
            Figure("append p99 before", Percentiles(before.map(\.append))[0.99], "ms"),
            Figure("append p99 while held", Percentiles(during.map(\.append))[0.99], "ms"),
            Figure("append maximum while held", Percentiles(during.map(\.append)).maximum, "ms"),
            Figure("held", held.seconds, "s"), Figure("claims while held", Double(whole.count), ""),
            Figure("upkeep that gave way to the transaction", Double(refusals), ""),
        ]
    }

    /// Groups of a stretch of steady load.
    private static func load(_ stretch: Duration, _ queue: BenchmarkQueue) async throws -> [Group] {
        let worker: WorkerID = queue.ids.next()
        let size = jobsPerSecond / groupsPerSecond
        let arrivals = OpenLoop(interval: Duration.seconds(1) / groupsPerSecond)
        var groups: [Group] = []
        for number in 0..<Int(stretch.seconds * Double(groupsPerSecond)) {
            let due = try await arrivals.arrival(number)
            _ = try await queue.queue.enqueue((0..<size).map { _ in queue.noop() })
            let start = ContinuousClock.now
            let jobs = try await queue.queue.claim(ClaimLimit(total: size, background: size), worker: worker)
            let claim = start.elapsed.milliseconds
            guard jobs.count == size, let first = jobs.first else {
                throw BenchmarkFailure(["a claim took \(jobs.count) jobs of \(size)"])
            }
            let append = ContinuousClock.now
            try await queue.pool.execute(
                """
                INSERT INTO events (job, lease, seq, kind, data, written)
                VALUES (\(first.lease.job), \(first.lease.number), 1, 0, '{}', clock_timestamp())
                """)
            groups.append(Group(due: due, claim: claim, append: append.elapsed.milliseconds))
            _ = try await queue.queue.complete(jobs.map { CompletedRun(lease: $0.lease, result: nil) })
        }
        return groups
    }

    /// A partition of the token log that the upkeep has reason to drop.
    private static func makeOldPartition(_ queue: BenchmarkQueue) async throws {
        try await queue.pool.execute("CREATE TABLE events_1577836800 (LIKE events INCLUDING ALL)")
        try await queue.pool.execute(
            """
            ALTER TABLE events ATTACH PARTITION events_1577836800
            FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-01 06:00:00+00')
            """)
    }

    /// What the maintenance of a worker does to the log's partitions, over and over.
    ///
    /// - Returns: how often the transaction stood in its way.
    private static func upkeep(_ queue: BenchmarkQueue, for stretch: Duration) async throws -> Int {
        let end = ContinuousClock.now + stretch
        var refusals = 0
        while ContinuousClock.now < end {
            if try await !keepPartitions(queue) { refusals += 1 }
            try await ContinuousClock().sleep(for: upkeepInterval)
        }
        return refusals
    }

    /// - Returns: whether nothing stood in its way.
    private static func keepPartitions(_ queue: BenchmarkQueue) async throws -> Bool {
        do throws(PersistenceError) {
            try await EventPartitions(database: Database(queue.pool)).keep(retention: .seconds(86_400))
            return true
        } catch {
            guard error.isRetryable else { throw error }
            return false
        }
    }
}
