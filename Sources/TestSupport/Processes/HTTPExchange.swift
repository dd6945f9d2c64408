// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Runtime

/// One request on a connection of its own and what is answered to it, piece by piece: a client that can read slowly,
/// stop reading, and vanish.
package actor HTTPExchange {
    /// The connection ended, or nothing came in time.
    package struct Broken: Error, CustomStringConvertible {
        /// The time ran out; else the peer left.
        package let isLate: Bool
        /// The first line of what was asked.
        package let request: String
        /// How many bytes came in all.
        package let receivedBytes: Int
        /// The last bytes.
        package let received: String
        /// For the test's report.
        package var description: String {
            let what = isLate ? "nothing in time" : "the connection ended"
            return "\(request): \(what) after \(receivedBytes) bytes: \(received)"
        }
    }

    /// An answer's head.
    package struct Head: Sendable {
        /// 200, …
        package internal(set) var status = 0
        /// Names in lower case.
        package internal(set) var fields: [String: String] = [:]
    }

    private nonisolated let loop: EventLoop
    /// Its loop.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private let firstLine: String
    private var receivedBytes = 0
    private var registration: Registration?
    private var unsent: ArraySlice<UInt8>
    private var received: [UInt8] = []
    private var body: [UInt8] = []
    /// How far `body` was searched for the end of a block.
    private var searched = 0
    private var isEnded = false
    private var isPaused = false
    private var hasWholeBody = false
    private var waiter: CheckedContinuation<Bool, Never>?
    private var drip: TimerID?

    /// Connects and begins to send. A small receive buffer lets the peer notice early that nothing is read.
    package init(_ request: [UInt8], to address: SocketAddress, receiveBufferBytes: Int32? = nil) async throws {
        loop = try TestCluster.loops.get().next()
        unsent = request[...]
        firstLine = String(decoding: request.prefix { $0 != 0x0D }, as: UTF8.self)
        descriptor = try Socket.connect(numericHost: address.host, port: address.port)
        if let receiveBufferBytes { try Socket.setReceiveBuffer(descriptor, bytes: receiveBufferBytes) }
        try begin()
    }

    private func begin() throws {
        registration = try loop.register(descriptor, .write) { [weak self] readiness in
            self?.assumeIsolated { $0.pump(readiness) }
        }
    }

    deinit {
        guard !isEnded else { return }
        let (loop, registration, descriptor) = (loop, registration, descriptor)
        loop.execute {
            if let registration { loop.deregister(registration) }
            Socket.close(descriptor)
        }
    }

    private func pump(_ readiness: Readiness) {
        do throws(SystemError) {
            if readiness.contains(.writable), !unsent.isEmpty {
                let bytes = Array(unsent)
                unsent = unsent.dropFirst(try Socket.send(descriptor, bytes.span))
                if unsent.isEmpty { try updateInterest() }
            }
            if !isPaused, !readiness.isDisjoint(with: [.readable, .hangUp, .failed]) { try readAll() }
        } catch {
            if !error.wouldBlock { end() }
        }
    }

    private func updateInterest() throws(SystemError) {
        if let registration { try loop.update(registration, isPaused ? [] : .read) }
    }

    private func readAll() throws(SystemError) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while registration != nil {
            let count = try Socket.read(descriptor, into: &chunk)
            if count == 0 { return end() }
            received += chunk[..<count]
            receivedBytes += count
            waiter.take()?.resume(returning: true)
        }
    }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        if let drip = drip.take() { loop.cancel(drip) }
        if let registration = registration.take() { loop.deregister(registration) }
        Socket.close(descriptor)
        waiter.take()?.resume(returning: true)
    }

    /// Reads no more, so that the peer's bytes pile up.
    package func pause() throws {
        if let drip = drip.take() { loop.cancel(drip) }
        isPaused = true
        try updateInterest()
    }

    /// Reads only so much each time the interval is over, until ``resume()`` or ``pause()``.
    package func drip(bytes: Int, every interval: Duration) throws {
        try pause()
        scheduleDrip(Array(repeating: 0, count: bytes), interval)
    }

    private func scheduleDrip(_ buffer: [UInt8], _ interval: Duration) {
        drip = loop.schedule(at: .now + interval) { [weak self] in
            self?.assumeIsolated { $0.readDrop(buffer, interval) }
        }
    }

    private func readDrop(_ buffer: [UInt8], _ interval: Duration) {
        guard registration != nil else { return }
        var buffer = buffer
        do throws(SystemError) {
            let count = try Socket.read(descriptor, into: &buffer)
            if count == 0 { return end() }
            received += buffer[..<count]
            waiter.take()?.resume(returning: true)
        } catch {
            if !error.wouldBlock { return end() }
        }
        scheduleDrip(buffer, interval)
    }

    /// Reads again.
    package func resume() throws {
        if let drip = drip.take() { loop.cancel(drip) }
        isPaused = false
        try updateInterest()
    }

    /// Vanishes.
    package func close() { end() }

    // MARK: Reading

    /// Waits for bytes beyond those the caller has looked at. The caller counts, and all is decided in one place that
    /// nothing can come between: on its way here the call may have been suspended, and more may have arrived.
    private func more(than seen: Int, until deadline: ContinuousClock.Instant) async throws {
        var timer: TimerID?
        let isInTime = await withCheckedContinuation { continuation in
            if isEnded || received.count > seen { return continuation.resume(returning: true) }
            waiter = continuation
            timer = loop.schedule(at: deadline) { [self] in
                assumeIsolated { $0.waiter.take()?.resume(returning: false) }
            }
        }
        if let timer { loop.cancel(timer) }
        if !isInTime { throw broken(isLate: true) }
        if received.count <= seen { throw broken(isLate: false) }
    }

    private func broken(isLate: Bool) -> Broken {
        Broken(
            isLate: isLate, request: firstLine, receivedBytes: receivedBytes,
            received: String(decoding: (body + received).suffix(500), as: UTF8.self))
    }

    private func line(until deadline: ContinuousClock.Instant) async throws -> String {
        var start = 0
        while true {
            if let index = received[start...].firstIndex(of: 0x0A) {
                defer { received.removeSubrange(...index) }
                return String(decoding: received[..<index].filter { $0 != 0x0D }, as: UTF8.self)
            }
            start = received.count
            try await more(than: start, until: deadline)
        }
    }

    /// The answer's head; read it first.
    package func head(within patience: Duration = .seconds(20)) async throws -> Head {
        let deadline = ContinuousClock.now + patience
        var head = Head()
        head.status = Int(try await line(until: deadline).split(separator: " ").dropFirst().first ?? "") ?? 0
        while case let line = try await line(until: deadline), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            head.fields[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        return head
    }

    /// The whole body, by its head.
    package func text(of head: Head, within patience: Duration = .seconds(20)) async throws -> String {
        let deadline = ContinuousClock.now + patience
        if head.fields["transfer-encoding"] == "chunked" {
            while !hasWholeBody { try await chunk(until: deadline) }
            return String(decoding: body, as: UTF8.self)
        }
        let count = head.fields["content-length"].flatMap { Int($0) } ?? 0
        while case let seen = received.count, seen < count { try await more(than: seen, until: deadline) }
        return String(decoding: received[..<count], as: UTF8.self)
    }

    private func chunk(until deadline: ContinuousClock.Instant) async throws {
        guard let count = Int(try await line(until: deadline), radix: 16) else { throw broken(isLate: false) }
        while case let seen = received.count, seen < count + 2 { try await more(than: seen, until: deadline) }
        body += received[..<count]
        received.removeFirst(count + 2)
        if count == 0 { hasWholeBody = true }
    }

    /// The next event of a chunked body; `nil` at its proper end.
    package func frame(within patience: Duration = .seconds(20)) async throws -> EventFrame? {
        let deadline = ContinuousClock.now + patience
        while true {
            while let end = endOfBlock() {
                let text = String(decoding: body[..<end], as: UTF8.self)
                body.removeFirst(end + 2)
                if let frame = try EventFrame(text) { return frame }
            }
            if hasWholeBody { return nil }
            try await chunk(until: deadline)
        }
    }

    private func endOfBlock() -> Int? {
        var index = searched
        while index + 1 < body.count {
            if body[index] == 0x0A, body[index + 1] == 0x0A {
                searched = 0
                return index
            }
            index += 1
        }
        searched = index
        return nil
    }
}
