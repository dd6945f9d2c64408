// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Postgres
package import Runtime
import Synchronization

/// A connection that one user has to itself and that is made anew when it is gone: the publisher's, the
/// notifier's. One call at a time.
package final class DedicatedConnection: Sendable {
    private let configuration: PostgresConfiguration
    let loop: EventLoop
    private let blocking: BlockingPool
    private let logger: Logger
    private let current = Mutex<PostgresConnection?>(nil)

    /// Opens nothing yet: the first use does.
    ///
    /// - Parameters:
    ///   - configuration: where and as whom; name and commit mode are set below.
    ///   - applicationName: as the server shows it.
    ///   - asynchronousCommit: commits do not wait for the disk; what matters must be found lost and repeated.
    ///   - loop: the connection's loop for its whole life.
    ///   - blocking: resolves names.
    ///   - logger: for the connection's own notices.
    package init(
        _ configuration: PostgresConfiguration, applicationName: String, asynchronousCommit: Bool, loop: EventLoop,
        blocking: BlockingPool, logger: Logger
    ) {
        var configuration = configuration
        configuration.applicationName = applicationName
        if asynchronousCommit { configuration.runtimeParameters["synchronous_commit"] = "off" }
        self.configuration = configuration
        self.loop = loop
        self.blocking = blocking
        self.logger = logger
    }

    /// The open connection, or a new one.
    package func connection() async throws(PostgresError) -> PostgresConnection {
        if let open = current.withLock({ $0 }), open.isOpen { return open }
        let fresh = try await PostgresConnection.connect(configuration, on: loop, blocking: blocking, logger: logger)
        current.withLock { $0 = fresh }
        return fresh
    }

    /// Whether a connection is open, as far as known.
    package var isOpen: Bool { current.withLock { $0 }?.isOpen ?? false }
}
