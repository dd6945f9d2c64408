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

    /// Runs a body with a queue whose services run.
    static func with<Value: Sendable>(
        _ deployment: BenchmarkDeployment, _ body: (BenchmarkQueue) async throws -> Value
    ) async throws -> Value {
        try await TestDatabase.with(deployment.database) { database in
            let ids = UUIDv7Generator { WallTime.now().millisecondsSince1970 }
            let clock = DatabaseClock(database: database.database, generator: ids, logger: .discard)
            try await clock.measure()
            let notifier = WakeNotifier(
                connection: DedicatedConnection(
                    database.configuration, applicationName: "bench notifier", asynchronousCommit: true,
                    loop: try TestCluster.loops.get().loops[0], blocking: TestCluster.blocking, logger: .discard),
                logger: .discard, metrics: MetricsRegistry())
            let user: UserID = ids.next()
            let queue = BenchmarkQueue(
                queue: PostgresJobQueue(pool: database.pool, claimer: database.pool, clock: clock),
                notifier: notifier, clock: clock, pool: database.pool, ids: ids, user: user)
            let shutdown = ShutdownSignal()
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await notifier.run(shutdown) }
                defer { shutdown.trigger() }
                return try await body(queue)
            }
        }
    }

    func noop(payload: [UInt8] = Array("{}".utf8)) -> NewJob {
        NewJob(id: ids.next(), kind: .noop, lane: .embedding, userID: user, payload: payload)
    }

    func count(_ statement: SQL) async throws -> Int64 {
        try await pool.query(statement).decodeFirst(Int64.self) ?? 0
    }
}
