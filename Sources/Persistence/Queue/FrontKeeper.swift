// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Observability
package import Runtime

/// Keeps the bounds of a claiming process, see ``LineFronts``. Asks the database nothing while claims are fast.
package final class FrontKeeper: Service {
    /// See `Service`.
    package let name = "front-keeper"
    private let fronts: LineFronts
    private let wake: @Sendable (Set<Lane>) -> Void
    private let logger: Logger
    private let longLooks: Counter

    /// - Parameters:
    ///   - fronts: those of the queue that this process claims from.
    ///   - wake: lets this process claim: a job was below its bounds.
    ///   - logger: told of a look that failed; without others the bounds are soon void.
    ///   - metrics: looks that found much that is dead.
    package init(
        fronts: LineFronts, wake: @escaping @Sendable (Set<Lane>) -> Void, logger: Logger, metrics: MetricsRegistry
    ) {
        self.fronts = fronts
        self.wake = wake
        self.logger = logger
        longLooks = metrics.counter(
            "switchyard_queue_bound_looks_total",
            help: "Looks that found much that is dead at the front of a line: a transaction has been open for long.")
    }

    /// See `Service`. Looks every second.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered, !Task.isCancelled {
            await shutdown.wait(atMost: LineFrontState.interval)
            if shutdown.isTriggered || Task.isCancelled { return }
            do throws(PersistenceError) {
                guard let look = try await fronts.look() else { continue }
                if look.wasLong { longLooks.increment() }
                if !look.unseen.isEmpty { wake(look.unseen) }
            } catch {
                logger.warning("the fronts of lines could not be read", [.errorCode: .string(error.label)])
            }
        }
    }
}
