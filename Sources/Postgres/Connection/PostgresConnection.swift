// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Runtime
import Synchronization

/// One connection: libpq in pipeline mode on an event loop.
///
/// Concurrent calls are pipelined, first in, first out; each call is one implicit transaction. What may take long
/// holds up everything behind it: give it a connection of its own. States: connecting → open → closed; there is no
/// way back, a ``PostgresPool`` makes new ones.
///
/// A statement's text is prepared once. Cancelling the task that waits cancels the statement on the server when it
/// is running there, or drops it from the line; the connection stays usable.
@safe package actor PostgresConnection {
    enum State {
        case connecting
        case open
        case closed
    }

    /// Where the connection lives; tasks that prefer this executor save two thread changes a statement.
    nonisolated package let loop: EventLoop
    /// On the loop: callbacks and calls share its thread.
    nonisolated package var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    let configuration: PostgresConfiguration
    let blocking: BlockingPool
    let logger: Logger
    let onNotification: (@Sendable (_ channel: String, _ payload: String) -> Void)?
    let onClose: (@Sendable () -> Void)?

    var state = State.connecting
    var handle: ConnectionHandle?
    var registration: Registration?
    var interest: Interest = []
    var connecting: CheckedContinuation<PostgresError?, Never>?
    var connectTimer: TimerID?

    var cache: StatementCache
    var waiting = Line<Exchange>()
    var ownerWaiting = Line<Exchange>()
    var inFlight = Line<Exchange>()
    var expected = Line<Expectation>()
    var sawResult = false
    var outputBlocked = false
    var scriptRunning = false
    var owner: UInt64?
    var ownerHasBegun = false
    var ownerBegin: SQL = "BEGIN"
    var cancelIsOut = false
    var drainAfterCancel = false
    var cancelTimer: TimerID?
    var lastNumber: UInt64 = 0
    private let openFlag = Atomic<Bool>(false)
    private let cleanFlag = Atomic<Bool>(true)
    private let process = Atomic<Int32>(0)

    /// Whether statements can be sent, as far as known. Any thread.
    nonisolated package var isOpen: Bool { openFlag.load(ordering: .acquiring) }
    /// No transaction was left open by a bare `BEGIN`. Any thread; settled once no call is under way.
    nonisolated package var isClean: Bool { cleanFlag.load(ordering: .acquiring) }
    /// The server's process id for this connection, as `pg_stat_activity` and `pg_terminate_backend` know it.
    nonisolated package var serverProcessID: Int32 { process.load(ordering: .acquiring) }

    private init(
        configuration: PostgresConfiguration, loop: EventLoop, blocking: BlockingPool, logger: Logger,
        onNotification: (@Sendable (String, String) -> Void)?, onClose: (@Sendable () -> Void)?
    ) {
        self.configuration = configuration
        self.loop = loop
        self.blocking = blocking
        self.logger = logger
        self.onNotification = onNotification
        self.onClose = onClose
        cache = StatementCache(capacity: configuration.preparedStatementLimit)
    }

    /// Connects within the configuration's `connectTimeout`.
    ///
    /// The blocking pool resolves names and sends cancels. `onNotification` is called on the loop for each NOTIFY, in
    /// order; `onClose` once on the loop when an open connection ends, for whatever reason. Neither may block.
    /// Throws `connectionFailed`, `cancelled`, `invalidConfiguration`.
    package static func connect(
        _ configuration: PostgresConfiguration, on loop: EventLoop, blocking: BlockingPool, logger: Logger,
        onNotification: (@Sendable (_ channel: String, _ payload: String) -> Void)? = nil,
        onClose: (@Sendable () -> Void)? = nil
    ) async throws(PostgresError) -> PostgresConnection {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        let parameters = try await resolve(configuration, blocking)
        let connection = PostgresConnection(
            configuration: configuration, loop: loop, blocking: blocking, logger: logger,
            onNotification: onNotification, onClose: onClose)
        try await connection.open(parameters, deadline)
        return connection
    }

    private static func resolve(
        _ configuration: PostgresConfiguration, _ blocking: BlockingPool
    ) async throws(PostgresError) -> [(String, String)] {
        guard configuration.needsNameServer else { return try configuration.resolved() }
        do {
            return try await blocking.run { try configuration.resolved() }
        } catch let error as PostgresError {
            throw error
        } catch is CancellationError {
            throw PostgresError(.cancelled)
        } catch {
            throw PostgresError(.connectionFailed, detail: "names cannot be resolved: \(error)")
        }
    }

    /// Ends the connection at once. What waits gets `closed`, what was sent `connectionLost`.
    package func close() { end(.closed, detail: nil) }

    /// The same from where one cannot wait.
    nonisolated func closeSoon() { loop.execute { self.assumeIsolated { $0.close() } } }

    func setOpen() {
        state = .open
        process.store(handle?.processID ?? 0, ordering: .releasing)
        openFlag.store(true, ordering: .releasing)
    }

    func setClean(_ clean: Bool) {
        if cleanFlag.load(ordering: .relaxed) != clean { cleanFlag.store(clean, ordering: .releasing) }
    }

    /// Why an open connection ends.
    enum End { case closed, lost }

    /// Closes the socket and answers everyone; harmless when closed already.
    func end(_ reason: End, detail: String?) {
        guard state != .closed else { return }
        let wasOpen = state == .open
        state = .closed
        openFlag.store(false, ordering: .releasing)
        if let registration { loop.deregister(registration) }
        registration = nil
        handle = nil
        for timer in [connectTimer, cancelTimer] { if let timer { loop.cancel(timer) } }
        let sent = inFlight.removeAll()
        let unsent = waiting.removeAll() + ownerWaiting.removeAll()
        _ = expected.removeAll()
        for exchange in sent {
            // A refusal that had arrived stands: it took the place of the answer.
            finish(
                exchange,
                .failure(exchange.error ?? PostgresError(.connectionLost(mayHaveCommitted: true), detail: detail)))
        }
        let code: PostgresError.Code = reason == .closed ? .closed : .connectionLost(mayHaveCommitted: false)
        for exchange in unsent { finish(exchange, .failure(PostgresError(code, detail: detail))) }
        connecting.take()?.resume(returning: PostgresError(.connectionFailed, detail: detail))
        if wasOpen { onClose?() }
    }

    func finish(_ exchange: Exchange, _ answer: Exchange.Answer) {
        if let timer = exchange.timer { loop.cancel(timer) }
        exchange.timer = nil
        exchange.resume(answer)
    }
}
