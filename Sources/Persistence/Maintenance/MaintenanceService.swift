// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Observability
import Postgres
package import Runtime

/// Recurring upkeep, in every worker process: each step finds nothing to do when another process was first.
///
/// Every ten seconds: serial keys without a head, leases past every deadline, windows of rate limits that are over.
/// Every ten minutes: partitions of the token log made ahead and dropped after the retention, old idempotency keys,
/// expired refresh tokens.
package final class MaintenanceService: Service {
    private static let shortInterval: Duration = .seconds(10)
    private static let shortRoundsPerLong = 60

    /// For the log.
    package let name = "maintenance"
    private let database: Database
    private let queue: PostgresJobQueue
    private let eventRetention: Duration
    private let wake: @Sendable (Set<Lane>) -> Void
    private let announce: @Sendable ([StampedEvent]) -> Void
    private let logger: Logger
    private let promoted: Counter
    private let overdue: Counter

    /// - Parameters:
    ///   - database: where the upkeep is done.
    ///   - queue: on the same database.
    ///   - eventRetention: how long token streams can be replayed.
    ///   - wake: tells every worker of new work in lanes.
    ///   - announce: tells readers of events that are stored.
    ///   - logger: failed rounds and what was mended.
    ///   - metrics: what was mended, by kind.
    package init(
        database: Database, queue: PostgresJobQueue, eventRetention: Duration,
        wake: @escaping @Sendable (Set<Lane>) -> Void, announce: @escaping @Sendable ([StampedEvent]) -> Void,
        logger: Logger, metrics: MetricsRegistry
    ) {
        self.database = database
        self.queue = queue
        self.eventRetention = eventRetention
        self.wake = wake
        self.announce = announce
        self.logger = logger
        promoted = metrics.counter(
            "switchyard_queue_orphaned_keys_total", help: "Serial keys that had waiting jobs and no head.")
        overdue = metrics.counter(
            "switchyard_queue_overdue_leases_total", help: "Leases ended from outside past their deadline.")
    }

    /// See ``Service``.
    package func run(_ shutdown: ShutdownSignal) async throws {
        var round = 0
        while !shutdown.isTriggered && !Task.isCancelled {
            await attempt("queue") { try await mendQueue() }
            await attempt("rate limits") { _ = try await RateLimitStore(database: database).deleteEnded() }
            if round % Self.shortRoundsPerLong == 0 {
                await attempt("partitions") { try await keepPartitions() }
                await attempt("expiry") { try await deleteExpired() }
            }
            round += 1
            await shutdown.wait(atMost: Self.shortInterval)
        }
    }

    private func attempt(_ step: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            // The next round tries again; nothing here is urgent within minutes.
            logger.warning("upkeep failed", [.reason: "\(step)", .errorDetail: "\(error)"])
        }
    }

    private func mendQueue() async throws {
        let mended = try await queue.mend()
        promoted.increment(by: mended.promotedKeys)
        overdue.increment(by: mended.rescue.endedCount)
        wake(mended.rescue.wake)
        announce(mended.rescue.events)
        if mended.promotedKeys > 0 {
            logger.error("serial keys without a head were mended", [.count: LogValue(mended.promotedKeys)])
        }
    }

    private func keepPartitions() async throws {
        _ = try await database.query(MaintenanceStatements.ensurePartitions)
        let seconds = eventRetention.components.seconds
        while true {
            let rows = try await database.query(MaintenanceStatements.dropPartition(retentionSeconds: seconds))
            guard let name: String = try rows.decodeFirst(String?.self) ?? nil else { return }
            logger.info("token log partition dropped", [.reason: "\(name)"])
        }
    }

    private func deleteExpired() async throws {
        _ = try await IdempotencyStore(database: database).deleteOld()
        _ = try await RefreshTokenStore(database: database).deleteExpired()
        try await ProviderStore(database: database).tidy()
    }
}
