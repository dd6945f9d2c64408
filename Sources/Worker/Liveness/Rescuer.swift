// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
package import Runtime

/// Acts upon what the heartbeat found: rescues the jobs of dead workers, gives back unexplained leases.
package final class Rescuer: Service {
    /// See `Service`.
    package let name = "rescuer"
    private let queue: any JobQueue
    private let id: WorkerID
    private let found: BoundedChannel<Heartbeat.Finding>
    private let wake: @Sendable (Set<Lane>) -> Void
    private let publisher: Publisher
    private let logger: Logger
    private let metrics: WorkerMetrics

    /// Starts nothing yet: ``run(_:)`` does.
    ///
    /// - Parameters:
    ///   - id: this worker, whose leases it may give back.
    ///   - queue: where leases are taken back.
    ///   - found: the heartbeat's findings; ended by the shutdown.
    ///   - publisher: tells readers of the ends that a rescue wrote.
    ///   - wake: tells every worker of new work in lanes.
    ///   - logger: told of each rescue, and of those that failed.
    ///   - metrics: counts rescued jobs and unexplained leases.
    package init(
        id: WorkerID, queue: any JobQueue, found: BoundedChannel<Heartbeat.Finding>, publisher: Publisher,
        wake: @escaping @Sendable (Set<Lane>) -> Void, logger: Logger, metrics: WorkerMetrics
    ) {
        self.id = id
        self.queue = queue
        self.found = found
        self.publisher = publisher
        self.wake = wake
        self.logger = logger
        self.metrics = metrics
    }

    /// See `Service`. Shut down, it acts upon what waits and ends.
    package func run(_ shutdown: ShutdownSignal) async throws {
        shutdown.onTrigger { [found] in found.finish() }
        while true {
            let findings = await found.nextBatch()
            if findings.isEmpty { return }
            for finding in findings { await act(on: finding) }
        }
    }

    private func act(on finding: Heartbeat.Finding) async {
        do throws(JobQueueError) {
            switch finding {
            case .dead(let worker):
                let rescue = try await queue.rescue(worker)
                publisher.announce(rescue.events)
                wake(rescue.wake)
                metrics.rescuedJobs.increment(by: rescue.putBackCount + rescue.endedCount)
                logger.warning(
                    "a dead worker's jobs are rescued",
                    [.count: "\(rescue.putBackCount)", .reason: "\(worker)"])
            case .unknown(let lease):
                metrics.unknownLeases.increment()
                let rescue = try await queue.putBackUnknown(lease, worker: id)
                publisher.announce(rescue.events)
                wake(rescue.wake)
            }
        } catch {
            // It will be found again at the next look.
            logger.warning("a rescue failed", [.errorDetail: "\(error)"])
        }
    }
}
