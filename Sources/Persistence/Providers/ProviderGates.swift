// SPDX-License-Identifier: Apache-2.0
package import Chat
import Jobs
package import Observability
package import Runtime
import Synchronization

/// The gates of limited configurations, kept in memory for those who put jobs into the line.
///
/// A job with a gate that is no longer right runs all the same: the gate only spares claims. Concurrency: any thread.
package final class ProviderGates: Service {
    private static let interval = Duration.seconds(5)

    /// For the log.
    package let name = "provider-gates"
    private let store: ProviderStore
    private let logger: Logger
    private let gates = Mutex<[ModelID: Int16]>([:])

    /// Knows none until the first ``refresh()``.
    package init(store: ProviderStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Whether any configuration has one: else nobody has to find out which model a job will ask.
    package var isEmpty: Bool { gates.withLock { $0.isEmpty } }

    /// The gate of a configuration; 0, the open line, for most.
    package func gate(of model: ModelID?) -> Int16 { model.flatMap { model in gates.withLock { $0[model] } } ?? 0 }

    /// Reads them; called once before anything is served.
    package func refresh() async throws(PersistenceError) {
        var known: [ModelID: Int16] = [:]
        for status in try await store.statuses() where !status.limits.isEmpty {
            if let gate = status.gate { known[status.model] = gate }
        }
        gates.withLock { $0 = known }
    }

    /// Refreshes until shutdown. What fails is tried again at the next turn.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered, !Task.isCancelled {
            await shutdown.wait(atMost: Self.interval)
            if shutdown.isTriggered || Task.isCancelled { return }
            do throws(PersistenceError) { try await refresh() } catch {
                logger.warning("the gates of providers could not be read", [.errorCode: .string(error.label)])
            }
        }
    }
}
