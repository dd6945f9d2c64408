// SPDX-License-Identifier: Apache-2.0

/// The server's limits and deadlines. Every deadline is absolute: dripping bytes does not move it.
package struct ServerConfiguration: Sendable {
    /// A numeric address or a name that is resolved once at the start.
    package var host = "127.0.0.1"
    /// 0 lets the kernel choose.
    package var port: UInt16 = 3001
    /// Over this a new connection is answered 503; a few more than that and the listener rests.
    package var maxConnections = 12_000
    /// Request line and fields together, in bytes: 431.
    package var maxHeadBytes = 32 << 10
    /// Header lines: 431.
    package var maxHeaderLines = 100
    /// The request target, in bytes: 414.
    package var maxTargetBytes = 8 << 10
    /// The body of a route that says nothing else, in bytes: 413.
    package var maxBodyBytes = 1 << 20
    /// From the first byte of a request (for the first one: from the connection) to the end of its fields: 408.
    package var headTimeout: Duration = .seconds(10)
    /// From the end of the fields to the end of the body: 408. A route may have its own.
    package var bodyTimeout: Duration = .seconds(60)
    /// Between two requests of a connection; then it is closed without a word.
    package var idleTimeout: Duration = .seconds(75)
    /// A client that takes nothing of what is there for it for so long is disconnected.
    package var writeStallTimeout: Duration = .seconds(60)
    /// How long and how much is read and thrown away after the last answer, so that it arrives before a reset.
    package var lingerTimeout: Duration = .seconds(1)
    /// See ``lingerTimeout``.
    package var lingerBytes = 1 << 20
    /// The kernel's send buffer of an event stream: without it a reader that never reads holds 4 MB.
    package var eventStreamSendBufferBytes: Int32 = 32_768
    /// Bytes an event stream may hold back before it is closed; its owner should stop long before (64 KiB).
    package var eventStreamMaxBufferedBytes = 256 << 10
    /// Bytes of a response or a request body that may wait on our side before their producer has to.
    package var highWatermarkBytes = 64 << 10
    /// At shutdown: how long event streams may go on before they are ended; their readers re-attach elsewhere.
    package var drainStreamGrace: Duration = .seconds(1)
    /// At shutdown: when everything that is still open is cut.
    package var drainTimeout: Duration = .seconds(20)

    /// The product's defaults.
    package init() {}
}
