// SPDX-License-Identifier: Apache-2.0
import Runtime

/// A client that sends and receives raw bytes over a real socket, without blocking a thread.
actor TestConnection {
    struct Response: Equatable, CustomStringConvertible {
        var status: Int
        var fields: [String: String]
        var body: String

        var description: String { "\(status) \(fields) \(body)" }
    }

    struct Ended: Error, CustomStringConvertible {
        let received: String
        var description: String { "the connection ended after: \(received)" }
    }

    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private var registration: Registration?
    private var received: [UInt8] = []
    private var unsent: [UInt8] = []
    private var unsentStart = 0
    private var isEnded = false
    private(set) var wasReset = false
    private var isReadingPaused = false
    private var waiter: CheckedContinuation<Void, Never>?
    private var sendWaiter: CheckedContinuation<Void, Never>?

    init(to address: SocketAddress, on loop: EventLoop, receiveBufferBytes: Int32? = nil) async throws {
        self.loop = loop
        descriptor = try Socket.connect(numericHost: address.host, port: address.port)
        if let receiveBufferBytes { try Socket.setReceiveBuffer(descriptor, bytes: receiveBufferBytes) }
        try begin()
    }

    private func begin() throws {
        registration = try loop.register(descriptor, [.read, .write]) { [self] in ready($0) }
    }

    private func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.readable, .hangUp, .failed]), !isReadingPaused { readAll() }
        if readiness.contains(.writable) { sendUnsent() }
        updateInterest()
    }

    private func updateInterest() {
        guard let registration else { return }
        var interest: Interest = isReadingPaused ? [] : .read
        if !unsent.isEmpty { interest.insert(.write) }
        do { try loop.update(registration, interest) } catch { end(reset: true) }
    }

    private func readAll() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while registration != nil {
            do {
                let count = try Socket.read(descriptor, into: &chunk)
                if count == 0 { return end(reset: false) }
                received += chunk[..<count]
                waiter.take()?.resume()
            } catch {
                if !error.wouldBlock { end(reset: true) }
                return
            }
        }
    }

    private func sendUnsent() {
        do {
            while unsentStart < unsent.count {
                unsentStart += try Socket.send(descriptor, unsent.span.extracting(unsentStart..<unsent.count))
            }
            unsent = []
        } catch {
            if error.wouldBlock { return }
            unsent = []
            wasReset = true
        }
        unsentStart = 0
        sendWaiter.take()?.resume()
    }

    private func end(reset: Bool) {
        isEnded = true
        wasReset = wasReset || reset
        unsent = []
        if let registration = registration.take() { loop.deregister(registration) }
        waiter.take()?.resume()
        sendWaiter.take()?.resume()
    }

    /// Returns when the kernel has taken everything or the connection is over.
    func send(_ text: String) async { await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async {
        unsent += bytes
        sendUnsent()
        updateInterest()
        await withCheckedContinuation { continuation in
            if unsent.isEmpty { continuation.resume() } else { sendWaiter = continuation }
        }
    }

    /// Sends without waiting for the kernel to take it all.
    func post(_ bytes: [UInt8]) {
        unsent += bytes
        sendUnsent()
        updateInterest()
    }

    func shutDownSending() throws { try Socket.shutDown(descriptor, .writing) }

    func pauseReading() {
        isReadingPaused = true
        updateInterest()
    }

    func resumeReading() {
        isReadingPaused = false
        updateInterest()
        readAll()
    }

    func close() {
        end(reset: false)
        Socket.close(descriptor)
    }

    /// Waits for bytes beyond those the caller has looked at.
    private func waitForMore(than seenBytes: Int) async throws {
        await withCheckedContinuation { continuation in
            if received.count > seenBytes || isEnded { continuation.resume() } else { waiter = continuation }
        }
        guard received.count > seenBytes else {
            throw Ended(received: String(decoding: received.prefix(2000), as: UTF8.self))
        }
    }

    /// Everything until the server ends the connection.
    func readToEnd() async -> String {
        while !isEnded {
            await withCheckedContinuation { continuation in
                if isEnded { continuation.resume() } else { waiter = continuation }
            }
        }
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// Everything up to and including a text.
    func read(through text: String) async throws -> String {
        let pattern = Array(text.utf8)
        var searched = 0
        while true {
            if let end = firstEnd(of: pattern, from: searched) {
                defer { received.removeFirst(end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            searched = max(0, received.count - pattern.count + 1)
            try await waitForMore(than: received.count)
        }
    }

    func read(count: Int) async throws -> [UInt8] {
        while received.count < count { try await waitForMore(than: received.count) }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func firstEnd(of pattern: [UInt8], from first: Int) -> Int? {
        guard received.count - first >= pattern.count else { return nil }
        for start in first...(received.count - pattern.count)
        where received[start] == pattern[0] && received[start..<(start + pattern.count)].elementsEqual(pattern) {
            return start + pattern.count
        }
        return nil
    }

    /// One response, by its own framing.
    func readHead() async throws -> Response {
        let head = try await read(through: "\r\n\r\n")
        let lines = head.split(separator: "\r\n")
        var response = Response(status: 0, fields: [:], body: "")
        response.status = lines.first.map { Int($0.split(separator: " ")[1]) ?? 0 } ?? 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            response.fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        return response
    }

    func readChunk() async throws -> [UInt8] {
        let size = try await read(through: "\r\n")
        // CR and LF are one character.
        guard let count = Int(size.dropLast(), radix: 16) else { throw Ended(received: "bad chunk size \(size)") }
        let bytes = try await read(count: count)
        _ = try await read(through: "\r\n")
        return bytes
    }

    func readResponse(toHead: Bool = false) async throws -> Response {
        var response = try await readHead()
        if toHead || response.status == 204 || response.status == 304 || response.status < 200 { return response }
        if let length = response.fields["content-length"].flatMap({ Int($0) }) {
            response.body = String(decoding: try await read(count: length), as: UTF8.self)
        } else if response.fields["transfer-encoding"] == "chunked" {
            var body: [UInt8] = []
            while case let chunk = try await readChunk(), !chunk.isEmpty { body += chunk }
            response.body = String(decoding: body, as: UTF8.self)
        } else {
            response.body = await readToEnd()
        }
        return response
    }
}
