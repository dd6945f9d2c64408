// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Observability
import Postgres
package import Runtime

/// Recurring upkeep. Every worker process runs one; each step has a row in `schedules`, which one of them takes when it
/// is due, so it runs once however many there are. A step that failed, or whose process died in it, is repeated.
///
/// Every ten seconds: serial keys without a head, leases past every deadline, jobs left aside by a pause, windows of rate
/// limits that are over. Every ten minutes: partitions of the token log made ahead and dropped after the retention, ended
/// jobs and their history, old idempotency keys, expired refresh tokens.
package final class MaintenanceService: Service {
    /// What is done, by the name in `schedules` and in the log.
    enum Step: String, CaseIterable {
        case queue, limits, partitions, expiry, history

        /// A little less than the rounds are apart, so that a round which comes early is not lost.
        var interval: Duration { self == .queue || self == .limits ? .seconds(9) : .seconds(595) }
    }

    private static let interval: Duration = .seconds(10)
    private static let page: Int32 = 1000

    /// For the log.
    package let name = "maintenance"
    private let database: Database
    private let queue: PostgresJobQueue
    private let eventRetention: Duration
    private let jobRetention: Duration
    private let wake: @Sendable (Set<Lane>) -> Void
    private let announce: @Sendable ([StampedEvent]) -> Void
    private let logger: Logger
    private let promoted: Counter
    private let overdue: Counter
    private let deleted: Counter

    /// - Parameters:
    ///   - database: where the upkeep is done.
    ///   - queue: on the same database.
    ///   - eventRetention: how long token streams can be replayed.
    ///   - jobRetention: how long ended jobs are kept.
    ///   - wake: tells every worker of new work in lanes.
    ///   - announce: tells readers of events that are stored.
    ///   - logger: failed rounds and what was mended.
    ///   - metrics: what was mended, by kind.
    package init(
        database: Database, queue: PostgresJobQueue, eventRetention: Duration, jobRetention: Duration,
        wake: @escaping @Sendable (Set<Lane>) -> Void, announce: @escaping @Sendable ([StampedEvent]) -> Void,
        logger: Logger, metrics: MetricsRegistry
    ) {
        self.database = database
        self.queue = queue
        self.eventRetention = eventRetention
        self.jobRetention = jobRetention
        self.wake = wake
        self.announce = announce
        self.logger = logger
        promoted = metrics.counter(
            "switchyard_queue_orphaned_keys_total", help: "Serial keys that had waiting jobs and no head.")
        overdue = metrics.counter(
            "switchyard_queue_overdue_leases_total", help: "Leases ended from outside past their deadline.")
        deleted = metrics.counter(
            "switchyard_queue_jobs_deleted_total", help: "Ended jobs deleted after their retention.")
    }

    /// See ``Service``.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered && !Task.isCancelled {
            _ = await runDue()
            await shutdown.wait(atMost: Self.interval)
        }
    }

    /// Runs what is due and no other process has taken. Returns what it ran to the end.
    func runDue() async -> [Step] {
        var done: [Step] = []
        for step in Step.allCases where await attempt(step) { done.append(step) }
        return done
    }

    private func attempt(_ step: Step) async -> Bool {
        let tick = MaintenanceStatements.beginTick(step.rawValue, intervalSeconds: step.interval.components.seconds)
        do {
            guard try await database.query(tick).first != nil else { return false }
            do {
                try await run(step)
                return true
            } catch {
                try await database.execute(MaintenanceStatements.giveTickBack(step.rawValue))
                throw error
            }
        } catch {
            // The next round tries again; nothing here is urgent within minutes.
            logger.warning("upkeep failed", [.reason: "\(step.rawValue)", .errorDetail: "\(error)"])
            return false
        }
    }

    private func run(_ step: Step) async throws {
        switch step {
        case .queue: try await mendQueue()
        case .limits: _ = try await RateLimitStore(database: database).deleteEnded()
        case .partitions: try await keepPartitions()
        case .expiry: try await deleteExpired()
        case .history: try await deleteEndedJobs()
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
        try await EventPartitions(database: database).keep(retention: eventRetention) { name in
            logger.info("token log partition dropped", [.reason: "\(name)"])
        }
    }

    private func deleteExpired() async throws {
        _ = try await IdempotencyStore(database: database).deleteOld()
        _ = try await RefreshTokenStore(database: database).deleteExpired()
        try await ProviderStore(database: database).tidy()
    }

    private func deleteEndedJobs() async throws {
        var place = PostgresUUID(high: 0, low: 0)
        while !Task.isCancelled {
            let rows = try await database.query(
                MaintenanceStatements.deleteEndedJobs(
                    after: place, retentionSeconds: jobRetention.components.seconds, page: Self.page))
            guard let (count, last) = try rows.decodeFirst(Int.self, PostgresUUID?.self), let last else { return }
            deleted.increment(by: count)
            place = last
        }
    }
}
