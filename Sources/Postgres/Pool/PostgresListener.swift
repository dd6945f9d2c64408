// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Runtime
import Synchronization

/// One connection that only listens, and is replaced as soon as it fails.
///
/// Notifications sent while there is no connection are lost: `onConnected` says "catch up now", after LISTEN has taken
/// effect. A ping every three seconds finds a connection the network swallowed. Callbacks run on the loop
/// (`onNotification`) or on the service's task, and must not block.
package final class PostgresListener: Service {
    /// What the listener tells.
    package struct Callbacks: Sendable {
        /// A notification, in the order they came.
        package var onNotification: @Sendable (_ channel: String, _ payload: String) -> Void
        /// Listening since just now: read what came before.
        package var onConnected: @Sendable () -> Void
        /// Not listening any more.
        package var onLost: @Sendable () -> Void

        /// All three.
        package init(
            onNotification: @escaping @Sendable (_ channel: String, _ payload: String) -> Void,
            onConnected: @escaping @Sendable () -> Void = {}, onLost: @escaping @Sendable () -> Void = {}
        ) {
            self.onNotification = onNotification
            self.onConnected = onConnected
            self.onLost = onLost
        }
    }

    /// For the log.
    package let name = "postgres-listener"
    private let configuration: PostgresConfiguration
    private let channels: [SQL]
    private let loop: EventLoop
    private let blocking: BlockingPool
    private let logger: Logger
    private let callbacks: Callbacks
    private let pingInterval: Duration
    private let pingTimeout: Duration
    private let backoff = Backoff(base: .milliseconds(50), cap: .seconds(2))
    private let healthy = Atomic<Bool>(false)
    private let process = Atomic<Int32>(0)
    private let reconnects: Counter

    /// Whether notifications come in: connected, listening, and the last ping was answered. Any thread.
    package var isHealthy: Bool { healthy.load(ordering: .acquiring) }

    /// The server's process id for the connection, 0 while there is none.
    var serverProcessID: Int32 { process.load(ordering: .acquiring) }

    /// Channels are names of lower-case letters, digits and underscores.
    package init(
        _ configuration: PostgresConfiguration, channels: [StaticString], on loop: EventLoop, blocking: BlockingPool,
        logger: Logger, metrics: MetricsRegistry, pingInterval: Duration = .seconds(3),
        pingTimeout: Duration = .seconds(2), callbacks: Callbacks
    ) {
        var configuration = configuration
        // A ping that is late ends the connection; there is nothing to cancel first.
        configuration.cancelGrace = .zero
        self.configuration = configuration
        self.channels = channels.map { channel in
            let isName = channel.description.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
            precondition(isName, "a channel is named by lower-case letters, digits and underscores")
            return "LISTEN \(fragment: SQL(stringLiteral: channel))"
        }
        self.loop = loop
        self.blocking = blocking
        self.logger = logger.adding([.component: "postgres-listener"])
        self.callbacks = callbacks
        self.pingInterval = pingInterval
        self.pingTimeout = pingTimeout
        reconnects = metrics.counter(
            "switchyard_postgres_listener_connects_total", help: "Times the listener began to listen.")
    }

    /// Listens until the shutdown.
    package func run(_ shutdown: ShutdownSignal) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.listen() }
            await shutdown.wait()
            group.cancelAll()
        }
    }

    private func listen() async {
        var attempt = 0
        while !Task.isCancelled {
            if await listenOnce() { attempt = 0 } else { attempt += 1 }
            guard attempt > 0 else { continue }
            // The first attempt after a good connection is made at once, the others with growing delays.
            do { try await ContinuousClock().sleep(for: backoff.delay(attempt: attempt - 1)) } catch { return }
        }
    }

    /// Connects, listens, and returns when that is over: true when the connection had proved itself.
    private func listenOnce() async -> Bool {
        let lost = ShutdownSignal()
        var wasGood = false
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(
                configuration, on: loop, blocking: blocking, logger: logger,
                onNotification: callbacks.onNotification, onClose: { lost.trigger() })
            do throws(PostgresError) {
                _ = try await connection.pipeline(channels, deadline: .now + configuration.connectTimeout)
                process.store(connection.serverProcessID, ordering: .releasing)
                healthy.store(true, ordering: .releasing)
                reconnects.increment()
                callbacks.onConnected()
                while await pauseEnds(before: lost) {
                    _ = try await connection.query("SELECT 1", deadline: .now + pingTimeout)
                    wasGood = true
                }
            } catch {
                report(error)
            }
            await connection.close()
            if healthy.exchange(false, ordering: .acquiringAndReleasing) {
                process.store(0, ordering: .releasing)
                callbacks.onLost()
            }
        } catch {
            report(error)
        }
        return wasGood
    }

    private func report(_ error: PostgresError) {
        guard error.code != .cancelled else { return }
        logger.warning("the listener has no connection", [.errorCode: .string(error.label)])
    }

    /// Waits for the time of the next ping; false when the connection is gone or the task cancelled.
    private func pauseEnds(before lost: ShutdownSignal) async -> Bool {
        let interval = pingInterval
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do { try await ContinuousClock().sleep(for: interval) } catch { return false }
                return true
            }
            group.addTask {
                await lost.wait()
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first && !lost.isTriggered && !Task.isCancelled
        }
    }
}
