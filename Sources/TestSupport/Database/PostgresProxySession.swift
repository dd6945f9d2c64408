// SPDX-License-Identifier: Apache-2.0
import Runtime
import Synchronization

/// One client's session behind a ``PostgresProxy``. Two threads: one a direction.
final class PostgresProxySession: Sendable {
    private struct Talk {
        var application = ""
        /// Texts of prepared statements by name.
        var prepared: [String: String] = [:]
        /// Asked since the last Sync.
        var asked: [String] = []
        /// One entry a Sync that the server has not answered.
        var awaited: [[String]] = []
        var current = PostgresProxy.Exchange()
    }

    private let client: RawConnection
    private let server: RawConnection
    private let state: PostgresProxy.SharedState
    private let talk = Mutex(Talk())

    init(client: RawConnection, server address: SocketAddress, state: PostgresProxy.SharedState) throws {
        self.client = client
        let descriptor = try Socket.connect(numericHost: address.host, port: address.port)
        server = RawConnection(descriptor)
        // Pieces of a message must not wait for each other's acknowledgement.
        try Socket.setNoDelay(descriptor)
        try client.setNoDelay()
        self.state = state
    }

    /// Returns when both sides are closed.
    func run() throws {
        let back = try SystemThread(name: "proxy-back") { [self] in
            // What ends a direction ends the session: the other side is told by the end of its connection.
            do { try relayServer() } catch { interrupt() }
            interrupt()
        }
        do { try relayClient() } catch { interrupt() }
        interrupt()
        back.join()
        server.close()
    }

    private func interrupt() {
        client.interrupt()
        server.interrupt()
    }

    // MARK: From the client

    private func relayClient() throws {
        var buffer: [UInt8] = []
        guard try relayStart(&buffer) else { return }
        while true {
            while let message = PostgresMessage.next(in: &buffer) {
                if message.kind == "S", isWithheld() { continue }
                note(message)
                try server.send(bytes: message.bytes)
            }
            let more = try client.read()
            if more.isEmpty { return }
            buffer += more
        }
    }

    /// Encryption is declined in the server's place. A request to cancel is passed on as it is.
    ///
    /// - Returns: whether messages follow.
    private func relayStart(_ buffer: inout [UInt8]) throws -> Bool {
        while true {
            while buffer.count < 8 || buffer.count < PostgresMessage.integer(buffer, at: 0) {
                let more = try client.read()
                if more.isEmpty { return false }
                buffer += more
            }
            let packet = Array(buffer.prefix(PostgresMessage.integer(buffer, at: 0)))
            buffer.removeFirst(packet.count)
            switch PostgresMessage.integer(packet, at: 4) {
            case 80_877_103, 80_877_104: try client.send("N")
            case 80_877_102:
                try server.send(bytes: packet)
                server.waitForPeerToLeave()
                return false
            default:
                let words = packet.dropFirst(8).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
                let name = words.firstIndex(of: "application_name").map { words[$0 + 1] } ?? ""
                talk.withLock { $0.application = name }
                try server.send(bytes: packet)
                return true
            }
        }
    }

    private func isWithheld() -> Bool {
        let asked = talk.withLock { $0.asked }
        return state.value.withLock { state in
            guard let statement = state.withheldSync, asked.contains(statement) else { return false }
            state.withheldSync = nil
            return true
        }
    }

    private func note(_ message: PostgresMessage) {
        talk.withLock { talk in
            switch message.kind {
            case "P":
                let words = message.words(2)
                talk.prepared[words[0]] = words[1]
            case "B": talk.asked.append(talk.prepared[message.words(2)[1]] ?? "")
            case "Q": talk.awaited.append([message.words(1)[0]])
            case "S":
                talk.awaited.append(talk.asked)
                talk.asked = []
            default: break
            }
        }
    }

    // MARK: From the server

    private func relayServer() throws {
        var buffer: [UInt8] = []
        var held: [UInt8] = []
        var hasBegun = false
        while true {
            while let message = PostgresMessage.next(in: &buffer) {
                if message.kind == "A", isDropped() { continue }
                held += message.bytes
                if message.kind == "C" { talk.withLock { $0.current.tags.append(message.words(1)[0]) } }
                if message.kind == "Z", hasBegun, isCut(after: message) { return }
                if message.kind == "Z" { hasBegun = true }
                let isBetween = talk.withLock { $0.awaited.isEmpty }
                if !hasBegun || isBetween || message.kind == "Z" {
                    try client.send(bytes: held)
                    held = []
                }
            }
            let more = try server.read()
            if more.isEmpty { return try client.send(bytes: held) }
            buffer += more
        }
    }

    private func isDropped() -> Bool {
        state.value.withLock { state in
            if state.dropsNotifications { state.droppedNotificationCount += 1 }
            return state.dropsNotifications
        }
    }

    /// The server is ready: what it was asked is done, and the client does not know it yet.
    private func isCut(after ready: PostgresMessage) -> Bool {
        let exchange = talk.withLock { talk in
            talk.current.application = talk.application
            talk.current.isOver = ready.bytes.last == UInt8(ascii: "I")
            if !talk.awaited.isEmpty { talk.current.statements += talk.awaited.removeFirst() }
            let exchange = talk.current
            if exchange.isOver { talk.current = PostgresProxy.Exchange() }
            return exchange
        }
        let done = state.value.withLock { state in
            state.cuts.firstIndex { $0.condition(exchange) }.map { state.cuts.remove(at: $0).done }
        }
        if let done {
            interrupt()
            done.open()
        }
        return done != nil
    }
}

/// A message of PostgreSQL's protocol after the start: a letter, the length, the rest.
struct PostgresMessage {
    let kind: Character
    let bytes: [UInt8]

    /// Takes the first whole message out of what was received.
    static func next(in buffer: inout [UInt8]) -> PostgresMessage? {
        guard buffer.count >= 5 else { return nil }
        let count = 1 + integer(buffer, at: 1)
        guard buffer.count >= count else { return nil }
        let message = PostgresMessage(
            kind: Character(Unicode.Scalar(buffer[0])), bytes: Array(buffer.prefix(count)))
        buffer.removeFirst(count)
        return message
    }

    /// The first texts of it, each ended by a zero byte.
    func words(_ count: Int) -> [String] {
        let parts = bytes.dropFirst(5).split(separator: 0, maxSplits: count, omittingEmptySubsequences: false)
        let words = parts.prefix(count).map { String(decoding: $0, as: UTF8.self) }
        return words + Array(repeating: "", count: count - words.count)
    }

    static func integer(_ bytes: [UInt8], at index: Int) -> Int {
        bytes[index..<(index + 4)].reduce(0) { $0 << 8 | Int($1) }
    }
}
