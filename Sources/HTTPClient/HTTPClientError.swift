// SPDX-License-Identifier: Apache-2.0

/// Why a request has no response, or a response no end: the one error of this module.
package struct HTTPClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong. The raw value is the bounded label of metrics.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// Names, connection and TLS were not done by their deadline.
        case connectTimeout = "connect_timeout"
        /// The connection stands, no response head came by its deadline.
        case firstByteTimeout = "first_byte_timeout"
        /// The body fell silent for too long while we were ready to read.
        case idleTimeout = "idle_timeout"
        /// The whole exchange took too long.
        case totalTimeout = "total_timeout"
        /// The host's name could not be resolved.
        case resolveFailed = "resolve_failed"
        /// Nobody listens, no way leads there, or the TLS handshake did not come to its end. A server that speaks no TLS
        /// is among these: libcurl has one number for all of them, and a proxy in trouble answers like that too.
        case connectFailed = "connect_failed"
        /// The peer's certificate is not trusted, or our side of TLS cannot be set up. Nothing changes by itself.
        case tlsFailed = "tls_failed"
        /// Every address of the host is one the policy refuses.
        case addressForbidden = "address_forbidden"
        /// The connection ended before the response did.
        case connectionLost = "connection_lost"
        /// The peer does not speak HTTP as it should.
        case protocolError = "protocol_error"
        /// Head or body are over a limit of ours.
        case tooLarge = "too_large"
        /// The task was cancelled, the body dropped, or the client shut down.
        case cancelled
        /// The URL is none, or is neither http nor https.
        case invalidRequest = "invalid_request"
    }

    /// What went wrong.
    package let code: Code
    /// Whether any byte of the request may have left: then the peer may have acted on it.
    package let mayHaveReachedServer: Bool
    /// libcurl's number for the failure, 0 when it was found by us; for the log.
    package let libraryCode: Int

    /// An error from its parts.
    package init(_ code: Code, mayHaveReachedServer: Bool, libraryCode: Int = 0) {
        self.code = code
        self.mayHaveReachedServer = mayHaveReachedServer
        self.libraryCode = libraryCode
    }

    /// Whether the same request may succeed later; says nothing about whether repeating it is safe.
    package var isRetryable: Bool {
        switch code {
        case .connectTimeout, .firstByteTimeout, .idleTimeout, .totalTimeout, .resolveFailed, .connectFailed,
            .connectionLost, .protocolError:
            true
        case .tlsFailed, .addressForbidden, .tooLarge, .cancelled, .invalidRequest: false
        }
    }

    /// The code, and libcurl's words where it has any; no host, no user data.
    package var description: String {
        libraryCode == 0 ? code.rawValue : "\(code.rawValue) (\(EasyHandle.words(for: libraryCode)))"
    }
}
