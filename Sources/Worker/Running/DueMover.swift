// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Observability
package import Runtime

/// Lines up scheduled, retrying and parked jobs when they are due. Every worker process runs one; what one moves
/// the others do not see.
package final class DueMover: Service {
    /// A job whose time another process set is found at most this late.
    private static let longestSleep: Duration = .milliseconds(500)

    /// See `Service`.
    package let name = "due-mover"
    private let queue: any JobQueue
    private let wake: @Sendable (Set<Lane>) -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - queue: whose deferred jobs are lined up.
    ///   - wake: tells every worker of new work in lanes.
    ///   - logger: told when a look failed; the next one mends it.
    package init(queue: any JobQueue, wake: @escaping @Sendable (Set<Lane>) -> Void, logger: Logger) {
        self.queue = queue
        self.wake = wake
        self.logger = logger
    }

    /// See `Service`. Sleeps until the next job is due, at most half a second.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered && !Task.isCancelled {
            var sleep = Self.longestSleep
            do throws(JobQueueError) {
                let moved = try await queue.moveDue()
                if !moved.wake.isEmpty { wake(moved.wake) }
                sleep = max(.milliseconds(1), min(sleep, moved.nextDue ?? sleep))
            } catch {
                logger.warning("due jobs could not be lined up", [.errorDetail: "\(error)"])
            }
            await shutdown.wait(atMost: sleep)
        }
    }
}
