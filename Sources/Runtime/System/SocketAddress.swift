// SPDX-License-Identifier: Apache-2.0

/// A numeric host and a port.
package struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// Numeric, without brackets.
    package let host: String
    /// In host byte order.
    package let port: UInt16

    /// Checks nothing: it holds what the kernel answered or what will be given to it.
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `127.0.0.1:3001` or `[::1]:3001`.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
