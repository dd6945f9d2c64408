// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport

/// The queue as an enqueuing process has it, in this process.
struct BenchmarkQueue: Sendable {
    let queue: PostgresJobQueue
    let notifier: WakeNotifier
    let clock: DatabaseClock
    let pool: PostgresPool
    let ids: UUIDv7Generator
    let user: UserID

    /// Runs a body with a queue whose services run, on so many connections, which are planned for as the product's.
    static func with<Value: Sendable>(
        _ deployment: BenchmarkDeployment, connections: Int = 4, _ body: (BenchmarkQueue) async throws -> Value
    ) async throws -> Value {
        let configuration = try TestCluster.configuration(database: deployment.database).withIndexedPlans
        let loops = try TestCluster.loops.get().loops
        var limits = PostgresPool.Limits()
        limits.minimumConnections = connections
        limits.maximumConnections = connections
        let pool = PostgresPool(
            name: "bench", configuration, limits: limits, loops: loops, blocking: TestCluster.blocking,
            logger: .discard, metrics: MetricsRegistry())
        let ids = UUIDv7Generator { WallTime.now().millisecondsSince1970 }
        let clock = DatabaseClock(database: Database(pool), generator: ids, logger: .discard)
        let notifier = WakeNotifier(
            connection: DedicatedConnection(
                configuration, applicationName: "bench notifier", asynchronousCommit: true, loop: loops[0],
                blocking: TestCluster.blocking, logger: .discard),
            logger: .discard, metrics: MetricsRegistry())
        let user: UserID = ids.next()
        let fronts = LineFronts(pool: pool)
        let keeper = FrontKeeper(fronts: fronts, wake: { _ in }, logger: .discard, metrics: MetricsRegistry())
        let queue = BenchmarkQueue(
            queue: PostgresJobQueue(pool: pool, claimer: pool, clock: clock, fronts: fronts), notifier: notifier,
            clock: clock,
            pool: pool, ids: ids, user: user)
        let shutdown = ShutdownSignal()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run(shutdown) }
            group.addTask { try await notifier.run(shutdown) }
            group.addTask { try await keeper.run(shutdown) }
            defer { shutdown.trigger() }
            try await clock.measure()
            return try await body(queue)
        }
    }

    func noop(payload: [UInt8] = Array("{}".utf8)) -> NewJob {
        NewJob(id: ids.next(), kind: .noop, lane: .embedding, userID: user, payload: payload)
    }

    /// Stores one job as the API does, and returns when it is durable.
    func submit(_ job: NewJob) async throws {
        if case .accepted(let wake) = try await queue.submit(job, key: nil) { notifier.wake(wake) }
    }

    func count(_ statement: SQL) async throws -> Int64 {
        try await pool.query(statement).decodeFirst(Int64.self) ?? 0
    }
}
