// SPDX-License-Identifier: Apache-2.0
import Runtime

/// One request over a connection of its own, read until the server closes it.
actor RawExchange {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private var registration: Registration?
    private var unsent: ArraySlice<UInt8>
    private var received: [UInt8] = []
    private var waiter: CheckedContinuation<Void, Never>?
    private var isEnded = false

    private init(to address: SocketAddress, sending bytes: [UInt8], on loop: EventLoop) throws {
        self.loop = loop
        unsent = bytes[...]
        descriptor = try Socket.connect(numericHost: address.host, port: address.port)
    }

    /// Everything the server has answered.
    static func run(_ request: [UInt8], to address: SocketAddress, on loop: EventLoop) async throws -> [UInt8] {
        try await RawExchange(to: address, sending: request, on: loop).answer()
    }

    private func answer() async throws -> [UInt8] {
        registration = try loop.register(descriptor, [.read, .write]) { [self] in ready($0) }
        await withCheckedContinuation { continuation in
            if isEnded { continuation.resume() } else { waiter = continuation }
        }
        Socket.close(descriptor)
        return received
    }

    private func ready(_ readiness: Readiness) {
        do {
            if readiness.contains(.writable), !unsent.isEmpty { try send() }
            if !readiness.isDisjoint(with: [.readable, .hangUp, .failed]) { try readAll() }
        } catch {
            if !error.wouldBlock { end() }
        }
    }

    private func send() throws(SystemError) {
        let bytes = Array(unsent)
        let count = try Socket.send(descriptor, bytes.span)
        unsent = unsent.dropFirst(count)
        if unsent.isEmpty, let registration { try loop.update(registration, .read) }
    }

    private func readAll() throws(SystemError) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = try Socket.read(descriptor, into: &chunk)
            if count == 0 { return end() }
            received += chunk[..<count]
        }
    }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        if let registration = registration.take() { loop.deregister(registration) }
        waiter.take()?.resume()
    }
}
