// SPDX-License-Identifier: Apache-2.0
import Runtime

/// Drives the transfers of one loop: libcurl says which sockets and timer it wants, the loop says when they are ready.
///
/// libcurl calls back in the middle of these methods (`add` and `resume` before they return), so no method holds
/// exclusive access to stored state across a call into it, and transfers are removed outside of callbacks only.
@safe actor TransferDriver {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let configuration: HTTPClientConfiguration
    private let metrics: HTTPClientMetrics?
    private var multi: MultiHandle?
    private var transfers: [UInt64: Transfer] = [:]
    private var registrations: [Int32: Registration] = [:]
    private var timer: TimerID?
    private var isShutDown = false

    init(loop: EventLoop, configuration: HTTPClientConfiguration, metrics: HTTPClientMetrics?) {
        self.loop = loop
        self.configuration = configuration
        self.metrics = metrics
    }

    // MARK: From any thread

    /// On the loop the request is on its way when this returns, if a connection is there. Not within a callback of
    /// libcurl.
    nonisolated func start(_ request: HTTPClientRequest, number: UInt64, mailbox: ResponseMailbox) {
        if loop.isCurrent {
            assumeIsolated { $0.begin(request, number: number, mailbox: mailbox) }
        } else {
            onLoop { $0.begin(request, number: number, mailbox: mailbox) }
        }
    }

    nonisolated func abort(_ number: UInt64) {
        onLoop { $0.finish(number, .failure(HTTPClientError(.cancelled, mayHaveReachedServer: true))) }
    }

    nonisolated func resume(_ number: UInt64) {
        onLoop { $0.goOn(number) }
    }

    nonisolated func limit(_ number: UInt64, idle: Duration, deadline: ContinuousClock.Instant?) {
        onLoop { $0.transfers[number]?.limit(idle: idle, deadline: deadline) }
    }

    private nonisolated func onLoop(_ body: @escaping @Sendable (isolated TransferDriver) -> Void) {
        loop.execute { self.assumeIsolated { body($0) } }
    }

    /// Ends all transfers and closes all connections; later requests fail as cancelled.
    func shutDown() {
        isShutDown = true
        for number in transfers.keys {
            finish(number, .failure(HTTPClientError(.cancelled, mayHaveReachedServer: true)))
        }
        multi = nil
        for registration in registrations.values { loop.deregister(registration) }
        registrations = [:]
        setTimer(nil)
    }

    // MARK: Transfers

    private func begin(_ request: HTTPClientRequest, number: UInt64, mailbox: ResponseMailbox) {
        guard !mailbox.isEnded else { return }
        if multi == nil, !isShutDown {
            multi = MultiHandle(maximumIdleConnections: configuration.maximumIdleConnections)
            multi?.bind(to: self)
        }
        guard multi != nil else { return refuse(mailbox, .cancelled) }
        let transfer = Transfer(
            request, number: number, configuration: configuration, loop: loop, mailbox: mailbox,
            onDeadline: { [weak self] code in self?.assumeIsolated { $0.expire(number, code) } })
        guard let transfer else { return refuse(mailbox, .invalidRequest) }
        transfers[number] = transfer
        metrics?.began()
        let wasAdded = transfer.withEasy { multi?.add($0) ?? false }
        guard wasAdded else {
            return finish(number, .failure(HTTPClientError(.invalidRequest, mayHaveReachedServer: false)))
        }
        // The library has asked for a timer that is due now; what waits for the loop may take a while.
        multi?.timerDue()
        collectEnded()
    }

    private func refuse(_ mailbox: ResponseMailbox, _ code: HTTPClientError.Code) {
        mailbox.end(.failure(HTTPClientError(code, mayHaveReachedServer: false)))
    }

    private func expire(_ number: UInt64, _ code: HTTPClientError.Code) {
        let wasSent = transfers[number]?.wasSent ?? false
        finish(number, .failure(HTTPClientError(code, mayHaveReachedServer: wasSent)))
    }

    private func goOn(_ number: UInt64) {
        guard let transfer = transfers[number] else { return }
        if let code = transfer.resume() { finish(number, .failure(transfer.error(libraryCode: code))) }
    }

    /// Not within a callback of libcurl.
    private func finish(_ number: UInt64, _ outcome: Result<Void, HTTPClientError>) {
        guard let transfer = transfers.removeValue(forKey: number) else { return }
        transfer.close()
        let newConnections = transfer.withEasy { easy in
            multi?.remove(easy)
            return easy.newConnectionCount
        }
        metrics?.ended(outcome, wasSent: transfer.wasSent, newConnectionCount: newConnections)
        transfer.mailbox.end(outcome)
    }

    private func collectEnded() {
        while let (number, code) = multi?.nextEnded() {
            guard let transfer = transfers[number] else { continue }
            let isWhole = code == 0 && transfer.hasHead
            finish(number, isWhole ? .success(()) : .failure(transfer.error(libraryCode: code)))
        }
    }

    // MARK: What libcurl wants

    func watch(_ socket: Int32, _ wish: SocketWish) {
        let interest: Interest
        switch wish {
        case .nothing:
            if let registration = registrations.removeValue(forKey: socket) { loop.deregister(registration) }
            return
        case .read: interest = .read
        case .write: interest = .write
        case .readAndWrite: interest = [.read, .write]
        }
        do throws(SystemError) {
            if let registration = registrations[socket] {
                try loop.update(registration, interest)
            } else {
                registrations[socket] = try loop.register(socket, interest) { [weak self] readiness in
                    self?.assumeIsolated { $0.ready(socket, readiness) }
                }
            }
        } catch {
            // The kernel has no room to watch it: its transfers end by their deadlines.
            metrics?.unwatchedSocket()
        }
    }

    func setTimer(_ delay: Duration?) {
        if let timer { loop.cancel(timer) }
        timer = delay.map { delay in
            loop.schedule(at: .now + delay) { [weak self] in self?.assumeIsolated { $0.timerDue() } }
        }
    }

    private func ready(_ socket: Int32, _ readiness: Readiness) {
        multi?.act(
            on: socket,
            isReadable: readiness.contains(.readable) || readiness.contains(.hangUp),
            isWritable: readiness.contains(.writable),
            hasFailed: readiness.contains(.failed))
        collectEnded()
    }

    private func timerDue() {
        timer = nil
        multi?.timerDue()
        collectEnded()
    }
}
