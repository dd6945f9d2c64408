// SPDX-License-Identifier: Apache-2.0

/// What all requests of a client share.
package struct HTTPClientConfiguration: Sendable, Hashable {
    /// `switchyard/<version>`; providers ask for it when they look into a complaint.
    package var userAgent: String
    /// Body bytes that wait for the reader before the peer is held back. HTTP/1.1 adds what the kernel and libcurl
    /// hold (about 16 KiB and the receive buffer), HTTP/2 up to a stream's window.
    package var highWaterBytes: Int
    /// Bytes of all head lines of a response with its trailers.
    package var headLimitBytes: Int
    /// Idle connections that each loop keeps.
    package var maximumIdleConnections: Int
    /// A bundle of trusted certificates in PEM form instead of the system's; `SSL_CERT_FILE` where that is set.
    package var certificateAuthorityFile: String?

    /// 256 KiB, 64 KiB, 64 connections and the system's certificates unless given.
    package init(
        userAgent: String, highWaterBytes: Int = 256 << 10, headLimitBytes: Int = 64 << 10,
        maximumIdleConnections: Int = 64, certificateAuthorityFile: String? = nil
    ) {
        self.userAgent = userAgent
        self.highWaterBytes = highWaterBytes
        self.headLimitBytes = headLimitBytes
        self.maximumIdleConnections = maximumIdleConnections
        self.certificateAuthorityFile = certificateAuthorityFile
    }
}
