// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Postgres
package import Runtime

/// Where a process's readers get token streams and changes of sessions from: a connection that listens, and the tables.
package struct StreamSource: Sendable {
    /// What the listener tells, on the source's loop, in order.
    package struct Callbacks: Sendable {
        /// A payload of ``StreamNotification``.
        package var onPayload: @Sendable (String) -> Void
        /// A payload of ``SessionNotification``.
        package var onSessions: @Sendable (String) -> Void
        /// Hearing since just now: what was said before is in the log. Not on the loop.
        package var onConnected: @Sendable () -> Void
        /// Not hearing any more. Not on the loop.
        package var onLost: @Sendable () -> Void

        /// All four.
        package init(
            onPayload: @escaping @Sendable (String) -> Void, onSessions: @escaping @Sendable (String) -> Void,
            onConnected: @escaping @Sendable () -> Void, onLost: @escaping @Sendable () -> Void
        ) {
            self.onPayload = onPayload
            self.onSessions = onSessions
            self.onConnected = onConnected
            self.onLost = onLost
        }
    }

    /// The loop of the listening connection.
    package let loop: EventLoop
    /// The log.
    package let reader: EventLogReader
    /// Sessions, for those who watch them.
    package let sessions: SessionWatchReader
    private let configuration: PostgresConfiguration
    private let blocking: BlockingPool

    /// - Parameters:
    ///   - configuration: of the listening connection, which must reach the server without a pooling proxy.
    ///   - pool: reads the log; its statements are short.
    ///   - loop: one that does not end before those who listen.
    ///   - blocking: resolves the server's name.
    package init(
        configuration: PostgresConfiguration, pool: PostgresPool, loop: EventLoop, blocking: BlockingPool
    ) {
        self.configuration = configuration.serving("stream")
        self.loop = loop
        self.blocking = blocking
        reader = EventLogReader(pool: pool)
        sessions = SessionWatchReader(pool: pool)
    }

    /// A service that listens as long as it runs and is connected anew whenever it has to be.
    package func listener(
        logger: Logger, metrics: MetricsRegistry, _ callbacks: Callbacks
    ) -> any Service {
        PostgresListener(
            configuration, channels: ["stream", "sessions"], on: loop, blocking: blocking, logger: logger,
            metrics: metrics,
            callbacks: PostgresListener.Callbacks(
                onNotification: { channel, payload in
                    if channel == SessionNotification.channel {
                        callbacks.onSessions(payload)
                    } else {
                        callbacks.onPayload(payload)
                    }
                },
                onConnected: callbacks.onConnected, onLost: callbacks.onLost))
    }
}
