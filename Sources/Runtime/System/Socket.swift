// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Stream-socket calls on plain descriptors, typed and non-blocking.
///
/// Descriptors stay plain numbers here because libpq and libcurl own theirs; whoever opens one closes it.
/// EINTR is retried below; EAGAIN is thrown as ``SystemError/wouldBlock``.
package enum Socket {
    /// Listens on a numeric or resolvable host. Resolves names, so call it at start, not on a loop.
    ///
    /// - Parameters:
    ///   - host: a numeric address or a name; only the first of a name's addresses is bound.
    ///   - port: 0 lets the kernel choose; read it back with ``localAddress(of:)``.
    ///   - sharingPort: SO_REUSEPORT, one listener a loop.
    ///   - backlog: connections that the kernel holds until they are accepted.
    /// - Returns: a non-blocking descriptor, which the caller closes.
    /// - Throws: when the address is in use, not ours or not resolvable.
    package static func listen(
        host: String, port: UInt16, sharingPort: Bool, backlog: Int32 = 1024
    ) throws(SystemError) -> Int32 {
        try SystemError.check(unsafe clinux_listen(host, port, sharingPort ? 1 : 0, backlog), "listen")
    }

    /// Starts to connect to a numeric host; completion is writability plus ``pendingError(of:)``.
    package static func connect(numericHost: String, port: UInt16) throws(SystemError) -> Int32 {
        try SystemError.check(unsafe clinux_connect(numericHost, port), "connect")
    }

    /// The next waiting connection, non-blocking and close-on-exec.
    package static func accept(_ listener: Int32) throws(SystemError) -> Int32 {
        try SystemError.check(clinux_accept(listener), "accept")
    }

    /// Reads into an array's existing elements from an offset on; 0 is the end of the stream.
    package static func read(
        _ descriptor: Int32, into buffer: inout [UInt8], at offset: Int = 0
    ) throws(SystemError) -> Int {
        let answer = unsafe buffer.withUnsafeMutableBytes { raw in
            unsafe clinux_read(descriptor, raw.baseAddress.map { unsafe $0 + offset }, raw.count - offset)
        }
        return try SystemError.check(answer, "read")
    }

    /// Sends what the kernel takes now; may be less than asked for.
    package static func send(_ descriptor: Int32, _ bytes: Span<UInt8>) throws(SystemError) -> Int {
        let answer = unsafe bytes.withUnsafeBytes { raw in
            unsafe clinux_send(descriptor, raw.baseAddress, raw.count)
        }
        return try SystemError.check(answer, "send")
    }

    /// Which direction ``shutDown(_:_:)`` ends.
    package enum Side: Int32, Sendable {
        case reading = 0
        case writing = 1
        case both = 2
    }

    /// Ends one direction while the descriptor stays open.
    package static func shutDown(_ descriptor: Int32, _ side: Side) throws(SystemError) {
        _ = try SystemError.check(clinux_shutdown(descriptor, side.rawValue), "shutdown")
    }

    /// Closes; the descriptor number may be reused at once by any thread.
    package static func close(_ descriptor: Int32) {
        // close() releases the number whatever it answers, so there is nothing to do about a failure.
        _ = clinux_close(descriptor)
    }

    /// The error a finished non-blocking connect left behind, if any.
    package static func pendingError(of descriptor: Int32) -> SystemError? {
        let answer = clinux_socket_error(descriptor)
        return answer < 0 ? SystemError(number: -answer, call: "connect") : nil
    }

    /// Fixes the kernel's send buffer: autotuning would let a reader that never reads hold 4 MB.
    package static func setSendBuffer(_ descriptor: Int32, bytes: Int32) throws(SystemError) {
        _ = try SystemError.check(clinux_set_send_buffer(descriptor, bytes), "setsockopt(SO_SNDBUF)")
    }

    /// Fixes the kernel's receive buffer; tests use it to make a slow reader.
    package static func setReceiveBuffer(_ descriptor: Int32, bytes: Int32) throws(SystemError) {
        _ = try SystemError.check(clinux_set_receive_buffer(descriptor, bytes), "setsockopt(SO_RCVBUF)")
    }

    /// Small writes leave at once (TCP_NODELAY).
    package static func setNoDelay(_ descriptor: Int32) throws(SystemError) {
        _ = try SystemError.check(clinux_set_no_delay(descriptor), "setsockopt(TCP_NODELAY)")
    }

    /// The next ``close(_:)`` resets the connection instead of ending it in order.
    package static func setResetOnClose(_ descriptor: Int32) throws(SystemError) {
        _ = try SystemError.check(clinux_set_reset_on_close(descriptor), "setsockopt(SO_LINGER)")
    }

    /// This side's numeric address.
    package static func localAddress(of descriptor: Int32) throws(SystemError) -> SocketAddress {
        try address(of: descriptor, peer: false)
    }

    /// The other side's numeric address.
    package static func peerAddress(of descriptor: Int32) throws(SystemError) -> SocketAddress {
        try address(of: descriptor, peer: true)
    }

    private static func address(of descriptor: Int32, peer: Bool) throws(SystemError) -> SocketAddress {
        var host = [CChar](repeating: 0, count: 64)
        var port: UInt16 = 0
        let answer = unsafe clinux_address(descriptor, peer ? 1 : 0, &host, host.count, &port)
        _ = try SystemError.check(answer, peer ? "getpeername" : "getsockname")
        let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return SocketAddress(host: text, port: port)
    }
}
