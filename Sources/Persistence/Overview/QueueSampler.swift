// SPDX-License-Identifier: Apache-2.0
import Jobs
package import Observability
import Postgres
package import Runtime

/// Shows in the metrics how long each lane's line is, and how old.
///
/// Every process samples for itself: nobody has to be elected, and whichever process is scraped has the figures, so a
/// query takes the maximum over processes. A sample reads an index up to ``QueueOverview/maximumPerLane`` entries a
/// lane: 36 ms of the server for a lane at that bound, next to nothing where little waits. What takes longer is done more
/// seldom, so that a process never keeps the server busy for more than a three-hundredth of the time.
package final class QueueSampler: Service {
    private static let interval: Duration = .seconds(10)
    private static let longestInterval: Duration = .seconds(60)
    private static let share = 300

    /// See `Service`.
    package let name = "queue-sampler"
    private let database: Database
    private let logger: Logger
    private let depths: [Lane: Gauge]
    private let ages: [Lane: Gauge]
    private let failures: Counter

    /// - Parameters:
    ///   - database: what is sampled.
    ///   - logger: told of samples that could not be taken.
    ///   - metrics: where they are shown.
    package init(database: Database, logger: Logger, metrics: MetricsRegistry) {
        self.database = database
        self.logger = logger
        let depths = metrics.gauge(
            "switchyard_queue_ready_jobs", help: "Jobs in line, by lane; counted up to 100000.", labels: ["lane"])
        let ages = metrics.gauge(
            "switchyard_queue_oldest_seconds", help: "How long the oldest job in line could have run, by lane.",
            labels: ["lane"])
        self.depths = Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0, depths.labels($0.name)) })
        self.ages = Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0, ages.labels($0.name)) })
        failures = metrics.counter(
            "switchyard_queue_sample_failures_total", help: "Times the line could not be sampled; its figures are old.")
    }

    /// See `Service`. Samples at once, then again and again.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered && !Task.isCancelled {
            let began = ContinuousClock.now
            do throws(PersistenceError) {
                try await sample()
            } catch {
                failures.increment()
                logger.warning("the queue could not be sampled", [.errorCode: .string(error.label)])
            }
            let rest = min(max(Self.interval, began.duration(to: .now) * Self.share), Self.longestInterval)
            await shutdown.wait(atMost: rest * Double.random(in: 0.75...1.25))
        }
    }

    /// One sample.
    func sample() async throws(PersistenceError) {
        let rows = try await database.query(OverviewStatements.lines(maximum: Int32(QueueOverview.maximumPerLane)))
        for line in try LaneLine.read(rows) {
            depths[line.lane]?.set(line.depth)
            ages[line.lane]?.set((line.oldestAge ?? .zero) / .seconds(1))
        }
    }
}
