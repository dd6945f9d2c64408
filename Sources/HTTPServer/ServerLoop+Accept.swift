// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime
import Synchronization

extension ServerLoop {
    /// How many connections over the limit still get their 503.
    private static let maxExcessConnections = 128
    private static let acceptRest: Duration = .milliseconds(100)

    /// Takes over a listening socket.
    func listen(_ descriptor: Int32) throws(SystemError) {
        listener = try loop.register(descriptor, .read) { [self] _ in acceptAll() }
    }

    private func acceptAll() {
        guard let listener else { return }
        // Bounded, so that a flood of connections does not starve those that are open.
        for _ in 0..<64 {
            let count = shared.connectionCount.load(ordering: .relaxed)
            guard count < configuration.maxConnections + Self.maxExcessConnections else {
                shared.logger.warning("too many connections, accepting rests", [.connectionCount: LogValue(count)])
                return restAccepting()
            }
            do {
                try open(Socket.accept(listener.descriptor), isExcess: count >= configuration.maxConnections)
            } catch {
                if error.wouldBlock { return }
                guard error.isOutOfDescriptors else { continue }
                shared.logger.error("out of descriptors, accepting rests", [.connectionCount: LogValue(count)])
                return restAccepting()
            }
        }
    }

    /// The listener stays readable, so without a rest the loop would spin.
    private func restAccepting() {
        guard let listener else { return }
        setListenerInterest(listener, [])
        _ = loop.schedule(at: .now + Self.acceptRest) { [self] in
            if self.listener == listener { setListenerInterest(listener, .read) }
        }
    }

    private func setListenerInterest(_ listener: Registration, _ interest: Interest) {
        do {
            try loop.update(listener, interest)
        } catch {
            shared.logger.error("cannot watch the listener", [.errorDetail: LogValue(error)])
        }
    }

    private func open(_ descriptor: Int32, isExcess: Bool) {
        var peer: SocketAddress?
        do {
            try Socket.setNoDelay(descriptor)
            peer = try Socket.peerAddress(of: descriptor)
        } catch {
            // The client is gone already, which the first read will tell.
            shared.logger.debug("a new connection has no peer", [.errorDetail: LogValue(error)])
        }
        let connection = Connection(
            id: ConnectionID(descriptor: descriptor, serial: makeSerial()), peer: peer,
            state: ConnectionState(deadline: .now + configuration.headTimeout),
            parser: RequestParser(limits: configuration))
        let index = Int(descriptor)
        while connections.count <= index { connections.append(nil) }
        connections[index] = connection
        connectionCount += 1
        shared.connectionCount.add(1, ordering: .relaxed)
        shared.metrics.connections.increment()
        scheduleSweep()
        setInterest(connection, .read)
        if isExcess { refuse(connection, .tooManyConnections) }
    }
}
