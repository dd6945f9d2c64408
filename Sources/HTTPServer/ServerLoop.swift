// SPDX-License-Identifier: Apache-2.0
import HTTP
import Observability
import Runtime
import Synchronization

/// What all loops of a server share.
final class ServerShared: Sendable {
    let configuration: ServerConfiguration
    let handler: any HTTPHandler
    let refusalResponder: RefusalResponder
    let logger: Logger
    let metrics: ServerMetrics
    let connectionCount = Atomic<Int>(0)

    init(
        configuration: ServerConfiguration, handler: any HTTPHandler, refusalResponder: @escaping RefusalResponder,
        logger: Logger, metrics: ServerMetrics
    ) {
        self.configuration = configuration
        self.handler = handler
        self.refusalResponder = refusalResponder
        self.logger = logger
        self.metrics = metrics
    }
}

/// The connections of one event loop, which is this actor's executor: readiness, timers and request tasks meet here
/// without locks.
///
/// Extensions by concern: accepting, input, requests, output, event streams, deadlines, draining.
actor ServerLoop {
    nonisolated let loop: EventLoop
    nonisolated let shared: ServerShared
    nonisolated let configuration: ServerConfiguration
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// Streams that were written to since the loop last looked; any thread.
    nonisolated let posted = Mutex<[ConnectionID]>([])

    var listener: Registration?
    /// By descriptor: the kernel gives the lowest free number, so this stays dense.
    var connections: [Connection?] = []
    var connectionCount = 0
    var nextSerial: UInt64 = 0
    /// Connections with bytes to send at the end of this turn.
    var dirty: [Connection] = []
    /// Every read of every connection goes through it.
    var scratch = [UInt8](repeating: 0, count: 64 << 10)
    /// Output buffers without an owner.
    var spareBuffers: [[UInt8]] = []
    var date = HTTPDate()
    var isSweepScheduled = false
    var shortestHeartbeat = Duration.seconds(3600)
    var isDraining = false
    var taskCount = 0
    var drainWaiters: [CheckedContinuation<Void, Never>] = []

    init(loop: EventLoop, shared: ServerShared) {
        self.loop = loop
        self.shared = shared
        configuration = shared.configuration
    }

    /// Runs a body here: in place when the caller is on the loop's thread already, else posted.
    nonisolated func onLoop(_ body: @escaping @Sendable (isolated ServerLoop) -> Void) {
        if loop.isCurrent {
            assumeIsolated { body($0) }
        } else {
            loop.execute { self.assumeIsolated { body($0) } }
        }
    }

    /// The connection of that name, unless it is closed.
    func connection(_ id: ConnectionID) -> Connection? {
        let index = Int(id.descriptor)
        guard index < connections.count, let connection = connections[index], connection.id == id else { return nil }
        return connection
    }

    func makeSerial() -> UInt64 {
        nextSerial += 1
        return nextSerial
    }

    /// Tells the kernel what to report. A client that has shut its side is reported without end, so then only
    /// reading stays registered; what is left to write is tried by the sweep.
    func setInterest(_ connection: Connection, _ wanted: Interest) {
        var wanted = wanted
        if connection.hasEnded { wanted.remove(.read) }
        let isWatched = !connection.hasHungUp || wanted.contains(.read)
        guard wanted != connection.interest || isWatched != (connection.registration != nil) else { return }
        connection.interest = wanted
        do {
            guard isWatched else {
                if let registration = connection.registration.take() { loop.deregister(registration) }
                return
            }
            if let registration = connection.registration {
                try loop.update(registration, wanted)
            } else {
                connection.registration = try loop.register(connection.id.descriptor, wanted) { [self] readiness in
                    ready(connection, readiness)
                }
            }
        } catch {
            shared.logger.error("cannot watch a connection", [.errorDetail: LogValue(error)])
            close(connection)
        }
    }

    private func ready(_ connection: Connection, _ readiness: Readiness) {
        guard !connection.isClosed else { return }
        if readiness.contains(.failed) || (readiness.contains(.hangUp) && connection.stream != nil) {
            close(connection)
            return
        }
        if readiness.contains(.writable) { flush(connection) }
        if readiness.contains(.readable), !connection.isClosed { read(connection) }
        guard readiness.contains(.hangUp), !connection.isClosed, !connection.interest.contains(.read) else { return }
        if !connection.hasHungUp {
            connection.hasHungUp = true
            clientLeft(connection)
        }
        setInterest(connection, connection.interest)
    }

    /// Nobody will read the answer: its handler may stop, unless it must not.
    func clientLeft(_ connection: Connection) {
        guard let exchange = connection.exchange, connection.state.output == .pending,
            exchange.policy.cancelsOnDisconnect
        else { return }
        exchange.task?.cancel()
    }

    /// Closes at once; whoever waits for the connection is told.
    func close(_ connection: Connection) {
        guard !connection.isClosed else { return }
        connection.isClosed = true
        if let registration = connection.registration.take() { loop.deregister(registration) }
        connections[Int(connection.id.descriptor)] = nil
        connectionCount -= 1
        Socket.close(connection.id.descriptor)
        shared.connectionCount.subtract(1, ordering: .relaxed)
        shared.metrics.connections.decrement()
        if let exchange = connection.exchange {
            exchange.body.fail(HTTPServerError(.disconnected))
            clientLeft(connection)
            connection.exchange = nil
        }
        connection.drainWaiter.take()?.resume(returning: false)
        if let stream = connection.stream.take() {
            shared.metrics.eventStreams.decrement()
            stream.writer.close()
        }
        connection.parser = nil
        connection.pending = []
        connection.outbox = []
        noteProgressOfDrain()
    }
}
