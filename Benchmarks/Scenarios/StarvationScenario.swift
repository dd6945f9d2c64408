// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import Worker

/// Whether a long line of embeddings delays chat: how soon a chat job begins in a worker that works off a million of
/// them, against a worker without any.
///
/// The embeddings of the figure with a target do what real ones do: they hold their slot and wait for somebody else, and
/// all slots that are not kept for chat are always taken. Embeddings that do nothing are measured beside them. They end
/// all at once, so their slots are filled again by one claim: a chat job that comes then waits until that is answered
/// and its jobs are started, and for a claim of its own.
struct StarvationScenario: Scenario {
    let name = "starvation"
    let summary =
        "chat p99, commit → handler, beside N queued embeddings (1000000) that are worked off ÷ on an idle worker"
    let rounds = 3

    /// As in `pickup`: longer than the window in which the notifier gathers.
    private static let interval = Duration.milliseconds(20)
    /// Two seconds, in which the disk comes to rest as well.
    private static let warmUp = 100
    /// How long an embedding holds its slot: so uneven that they do not end together.
    private static let holds = (50...150).map { NoopHandler.holdPayload(.milliseconds($0)) }

    /// What the chat jobs of a stretch waited, and what the embeddings did meanwhile.
    private struct Stretch: Sendable {
        let pickup: Percentiles
        let enqueue: Percentiles
        let embeddingsPerSecond: Double
        /// Of worker, database and load, in processors.
        let load: Double
    }

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let count = options.count(quick: 200_000, normal: 1_000_000, full: 1_000_000)
        let stretch = options.duration(quick: 3, normal: 10, full: 60)
        let idle = try await Self.measure(stretch, embeddings: 0) { _ in [] }
        let loaded = try await Self.measure(stretch, embeddings: count) { Self.holds[$0 % Self.holds.count] }
        let fast = try await Self.measure(stretch, embeddings: count) { _ in Array("{}".utf8) }
        return [
            Figure("chat p99 ÷ idle", loaded.pickup[0.99] / idle.pickup[0.99], "×", .atMost(2)),
            Figure("chat p50 ÷ idle", loaded.pickup.median / idle.pickup.median, "×"),
            Figure("chat p50 idle", idle.pickup.median, "ms"), Figure("chat p99 idle", idle.pickup[0.99], "ms"),
            Figure("chat p50", loaded.pickup.median, "ms"), Figure("chat p99", loaded.pickup[0.99], "ms"),
            Figure("chat maximum", loaded.pickup.maximum, "ms"),
            Figure("enqueue with commit p99 idle", idle.enqueue[0.99], "ms"),
            Figure("enqueue with commit p99", loaded.enqueue[0.99], "ms"),
            Figure("embeddings", loaded.embeddingsPerSecond, "1/s", .atLeast(1)),
            Figure("processors in use", loaded.load, ""),
            Figure("embeddings that do nothing: chat p99 ÷ idle", fast.pickup[0.99] / idle.pickup[0.99], "×"),
            Figure("embeddings that do nothing: chat p50", fast.pickup.median, "ms"),
            Figure("embeddings that do nothing: chat p99", fast.pickup[0.99], "ms"),
            Figure("embeddings that do nothing", fast.embeddingsPerSecond, "1/s", .atLeast(1)),
            Figure("embeddings that do nothing: processors in use", fast.load, ""),
            Figure("chat jobs in each stretch", Double(loaded.pickup.count), ""),
            Figure("embeddings queued", Double(count), ""),
        ]
    }

    /// One worker with so many embeddings in line.
    private static func measure(
        _ stretch: Duration, embeddings count: Int, payload: (Int) -> [UInt8]
    ) async throws -> Stretch {
        try await BenchmarkDeployment.with { deployment in
            try await deployment.startWorker()
            return try await BenchmarkQueue.with(deployment) { queue in
                try await enqueue(count, queue, payload: payload)
                let result = try await chat(stretch, deployment, queue)
                let left = try await queue.count("SELECT count(*) FROM (SELECT FROM ready WHERE lane = 3 LIMIT 1) r")
                guard count == 0 || left > 0 else {
                    throw BenchmarkFailure(["the embeddings were done before the chat jobs"])
                }
                return result
            }
        }
    }

    private static func enqueue(_ count: Int, _ queue: BenchmarkQueue, payload: (Int) -> [UInt8]) async throws {
        guard count > 0 else { return }
        for start in stride(from: 0, to: count, by: 10_000) {
            let jobs = (start..<min(start + 10_000, count)).map { queue.noop(payload: payload($0)) }
            queue.notifier.wake(try await queue.queue.enqueue(jobs).wake)
        }
        try await queue.pool.execute("ANALYZE jobs, ready, running")
        try await queue.pool.execute("CHECKPOINT")
    }

    /// Chat jobs at a steady pace.
    private static func chat(
        _ stretch: Duration, _ deployment: BenchmarkDeployment, _ queue: BenchmarkQueue
    ) async throws -> Stretch {
        let user: UserID = queue.ids.next()
        let count = warmUp + Int(stretch / interval)
        var committed: [JobID: Timestamp] = [:]
        var enqueueTimes: [Double] = []
        var (start, before) = (try await deployment.probe.now(), try deployment.times())
        let arrivals = OpenLoop(interval: interval)
        for number in 0..<count {
            _ = try await arrivals.arrival(number)
            if number == warmUp { (start, before) = (try await deployment.probe.now(), try deployment.times()) }
            let job = NewJob(
                id: queue.ids.next(), kind: .noop, lane: .chat, userID: user, payload: NoopHandler.stampPayload)
            let begun = ContinuousClock.now
            try await queue.submit(job)
            let now = queue.clock.now
            if number < warmUp { continue }
            enqueueTimes.append(begun.elapsed.milliseconds)
            committed[job.id] = now
        }
        let (end, after) = (try await deployment.probe.now(), try deployment.times())
        let pickups = try await ended(user, count, queue).compactMap { id, began in
            committed[id].map { Double(began - $0.microsecondsSince1970) / 1000 }
        }
        let seconds = Double(end - start) / 1e6
        let done = try await queue.count(
            """
            SELECT count(*) FROM jobs WHERE user_id = \(queue.user) AND state = 4
              AND extract(epoch FROM finished_at) * 1000000 BETWEEN \(start) AND \(end)
            """)
        let spent = after.since(before).reduce(0) { $0 + $1.seconds }
        return Stretch(
            pickup: Percentiles(pickups), enqueue: Percentiles(enqueueTimes),
            embeddingsPerSecond: Double(done) / seconds, load: spent / seconds)
    }

    /// When each job began, once all have ended.
    private static func ended(
        _ user: UserID, _ count: Int, _ queue: BenchmarkQueue
    ) async throws -> [(JobID, Int64)] {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            let rows = try await queue.pool.query(
                "SELECT id, result FROM jobs WHERE user_id = \(user) AND state = 4"
            ).decode(JobID.self, String.self)
            if rows.count == count { return rows.compactMap { id, result in Int64(result).map { (id, $0) } } }
            guard ContinuousClock.now < deadline else {
                throw BenchmarkFailure(["\(count - rows.count) chat jobs were left when the time was over"])
            }
            try await ContinuousClock().sleep(for: .milliseconds(50))
        }
    }
}
