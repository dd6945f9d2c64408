// SPDX-License-Identifier: Apache-2.0
import Runtime

/// A client of event streams over a real socket, without blocking a thread.
actor StreamClient {
    struct Event: Sendable, Equatable {
        var id = ""
        var name = ""
        var data = ""
    }

    struct Head: Sendable {
        var status = 0
        var fields: [String: String] = [:]
    }

    /// The connection was over too early.
    struct Ended: Error {
        let received: String
    }

    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private var registration: Registration?
    private var received: [UInt8] = []
    private var body: [UInt8] = []
    private var isEnded = false
    private var isPaused = false
    private var isChunked = false
    private(set) var hasFinished = false
    private(set) var pings = 0
    private var waiter: CheckedContinuation<Void, Never>?

    /// Connects and sends a request; a small receive buffer makes a slow reader slow early.
    init(
        to address: SocketAddress, on loop: EventLoop, request: String, receiveBufferBytes: Int32? = nil,
        isPaused: Bool = false
    ) async throws {
        self.loop = loop
        self.isPaused = isPaused
        descriptor = try Socket.connect(numericHost: address.host, port: address.port)
        if let receiveBufferBytes { try Socket.setReceiveBuffer(descriptor, bytes: receiveBufferBytes) }
        try begin(Array(request.utf8))
    }

    private func begin(_ request: [UInt8]) throws {
        var unsent = request[...]
        registration = try loop.register(descriptor, .write) { [self] readiness in
            do {
                if readiness.contains(.writable), !unsent.isEmpty {
                    let bytes = Array(unsent)
                    unsent = unsent.dropFirst(try Socket.send(descriptor, bytes.span))
                    if unsent.isEmpty { try updateInterest() }
                }
                if !readiness.isDisjoint(with: [.readable, .hangUp, .failed]), !isPaused { readAll() }
            } catch { end() }
        }
    }

    private func updateInterest() throws {
        if let registration { try loop.update(registration, isPaused ? [] : .read) }
    }

    private func readAll() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while registration != nil {
            do {
                let count = try Socket.read(descriptor, into: &chunk)
                if count == 0 { return end() }
                received += chunk[..<count]
                waiter.take()?.resume()
            } catch {
                if !error.wouldBlock { end() }
                return
            }
        }
    }

    private func end() {
        isEnded = true
        if let registration = registration.take() { loop.deregister(registration) }
        waiter.take()?.resume()
    }

    func pause() throws {
        isPaused = true
        try updateInterest()
    }

    func resume() throws {
        isPaused = false
        try updateInterest()
        readAll()
    }

    func close() {
        end()
        Socket.close(descriptor)
    }

    /// Waits for bytes beyond those the caller has looked at: it is the caller who counts, because more may come while
    /// the call is on its way.
    private func more(than seen: Int) async throws {
        await withCheckedContinuation { continuation in
            if received.count > seen || isEnded { continuation.resume() } else { waiter = continuation }
        }
        if received.count == seen, isEnded {
            throw Ended(received: String(decoding: (body + received).suffix(500), as: UTF8.self))
        }
    }

    private func line() async throws -> String {
        var searched = 0
        while true {
            if let index = received[searched...].firstIndex(of: 0x0A) {
                defer { received.removeSubrange(...index) }
                return String(decoding: received[..<index].filter { $0 != 0x0D }, as: UTF8.self)
            }
            searched = received.count
            try await more(than: received.count)
        }
    }

    func head() async throws -> Head {
        var head = Head()
        head.status = Int(try await line().split(separator: " ")[1]) ?? 0
        while case let line = try await line(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            head.fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        isChunked = head.fields["transfer-encoding"] == "chunked"
        return head
    }

    /// The body of an answer with a length.
    func text(of head: Head) async throws -> String {
        let count = head.fields["content-length"].flatMap { Int($0) } ?? 0
        while received.count < count { try await more(than: received.count) }
        defer { received.removeFirst(count) }
        return String(decoding: received[..<count], as: UTF8.self)
    }

    private func chunk() async throws {
        guard let count = Int(try await line(), radix: 16) else { throw Ended(received: "bad chunk") }
        while received.count < count + 2 { try await more(than: received.count) }
        body += received[..<count]
        received.removeFirst(count + 2)
        if count == 0 { hasFinished = true }
    }

    /// The next event; nil at the stream's orderly end.
    func event() async throws -> Event? {
        while true {
            if let end = endOfBlock() {
                let text = String(decoding: body[..<end], as: UTF8.self)
                body.removeFirst(end + 2)
                var event = Event()
                for line in text.split(separator: "\n") {
                    let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
                    let value = String((parts.last ?? "").drop { $0 == " " })
                    switch line.first == ":" ? "" : parts[0] {
                    case "id": event.id = value
                    case "event": event.name = value
                    case "data": event.data = value
                    default: pings += 1
                    }
                }
                if !event.data.isEmpty { return event }
                continue
            }
            if hasFinished { return nil }
            try await chunk()
        }
    }

    private func endOfBlock() -> Int? {
        guard body.count > 1 else { return nil }
        for index in 0..<(body.count - 1) where body[index] == 0x0A && body[index + 1] == 0x0A { return index }
        return nil
    }

    func events(_ count: Int) async throws -> [Event] {
        var events: [Event] = []
        while events.count < count {
            guard let event = try await event() else { throw Ended(received: "only \(events.count) events") }
            events.append(event)
        }
        return events
    }

    /// Without what tells of a wait while it lasts: how long a job waits for these tests' claims is the machine's affair.
    func eventsToEnd() async throws -> [Event] {
        var events: [Event] = []
        while let event = try await event() {
            if event.name != "queued" || !event.id.isEmpty { events.append(event) }
        }
        return events
    }
}
