// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime
import Synchronization

/// One accepted connection of a ``RawServer``; its calls block the script's thread.
package final class RawConnection: Sendable {
    /// The peer ended the connection while more was expected of it.
    package struct PeerLeft: Error {}

    private let descriptor: Mutex<Int32?>
    private let unread = Mutex<[UInt8]>([])

    init(_ descriptor: Int32) {
        self.descriptor = Mutex(descriptor)
    }

    /// Reads a request's head and the body that its Content-Length announces.
    package func readRequest() throws -> String {
        var received = unread.withLock { unread in
            defer { unread = [] }
            return unread
        }
        while true {
            if let end = Self.requestEnd(in: received) {
                unread.withLock { $0 = Array(received[end...]) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            let more = try read()
            if more.isEmpty { throw PeerLeft() }
            received += more
        }
    }

    /// Sends all of it, waiting while the peer does not read.
    package func send(_ text: String) throws {
        try send(bytes: Array(text.utf8))
    }

    /// Sends all of it, waiting while the peer does not read.
    package func send(bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count { sent += try sendSome(bytes[sent...], patience: nil) ?? 0 }
    }

    /// Sends what can be sent; `nil` when nothing could for so long as `patience`.
    package func sendSome(_ bytes: ArraySlice<UInt8>, patience: Duration?) throws -> Int? {
        let descriptor = try open()
        while true {
            do throws(SystemError) {
                return try Socket.send(descriptor, bytes.span)
            } catch {
                guard error.wouldBlock else { throw error }
            }
            if !Self.wait(descriptor, Int16(POLLOUT), for: patience) { return nil }
        }
    }

    /// Returns once the peer has ended or reset the connection; what it sends before is thrown away.
    package func waitForPeerToLeave() {
        do {
            while try !read().isEmpty {}
        } catch {
            // A reset is a way of leaving too.
            return
        }
    }

    /// Ends the connection in order.
    package func close() {
        descriptor.withLock { $0.take() }.map(Socket.close)
    }

    /// Ends the connection with a reset.
    package func reset() throws {
        try Socket.setResetOnClose(try open())
        close()
    }

    /// What is sent goes out at once.
    func setNoDelay() throws { try Socket.setNoDelay(try open()) }

    func interrupt() {
        descriptor.withLock { descriptor in
            guard let descriptor else { return }
            do throws(SystemError) { try Socket.shutDown(descriptor, .both) } catch {
                // The peer has closed it already, which serves as well.
                return
            }
        }
    }

    /// - Returns: false when the time ran out first.
    static func wait(_ descriptor: Int32, _ events: Int16, for patience: Duration?) -> Bool {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        let milliseconds = patience.map { Int32($0 / .milliseconds(1)) } ?? -1
        return unsafe poll(&entry, 1, milliseconds) != 0
    }

    private func open() throws -> Int32 {
        guard let descriptor = descriptor.withLock({ $0 }) else { throw PeerLeft() }
        return descriptor
    }

    /// What has come; empty when the peer has ended the connection.
    package func read() throws -> [UInt8] {
        let descriptor = try open()
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            do throws(SystemError) {
                let count = try Socket.read(descriptor, into: &buffer)
                return Array(buffer[..<count])
            } catch {
                guard error.wouldBlock else { throw error }
            }
            _ = Self.wait(descriptor, Int16(POLLIN), for: nil)
        }
    }

    private static func requestEnd(in bytes: [UInt8]) -> Int? {
        guard let headEnd = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return nil }
        let head = String(decoding: bytes[..<headEnd], as: UTF8.self).lowercased()
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) }
        let end = headEnd + (length ?? 0)
        return end <= bytes.count ? end : nil
    }
}
