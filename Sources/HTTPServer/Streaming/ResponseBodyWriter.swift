// SPDX-License-Identifier: Apache-2.0

/// Writes the body of a `stream` response, piece by piece, within the request's task.
package struct ResponseBodyWriter: Sendable {
    let id: ConnectionID
    let exchange: UInt64
    let server: ServerLoop

    /// Sends bytes; waits while the client has more than the high watermark to take first.
    ///
    /// - Throws: `disconnected` when the client is gone, or does not take anything for the write stall's time.
    package func write(_ bytes: [UInt8]) async throws(HTTPServerError) {
        guard !bytes.isEmpty else { return }
        guard await server.write(bytes, id, exchange) else { throw HTTPServerError(.disconnected) }
    }
}
