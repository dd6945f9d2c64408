// SPDX-License-Identifier: Apache-2.0
import CCurl

extension HTTPClientError {
    /// Translates libcurl's result of a transfer that failed.
    ///
    /// `hasHead` says whether the response's head had come.
    init(libraryCode: Int, wasSent: Bool, hasHead: Bool, addressWasRefused: Bool) {
        let code: Code =
            switch CURLcode(rawValue: UInt32(libraryCode)) {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolveFailed
            case CURLE_COULDNT_CONNECT: addressWasRefused ? .addressForbidden : .connectFailed
            // A handshake that was cut, refused or answered in plain text, as by a load balancer without its servers.
            case CURLE_PROXY, CURLE_INTERFACE_FAILED, CURLE_SSL_CONNECT_ERROR: .connectFailed
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE, CURLE_SSL_INVALIDCERTSTATUS,
                CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED, CURLE_SSL_CLIENTCERT:
                .tlsFailed
            case CURLE_URL_MALFORMAT: .invalidRequest
            case CURLE_UNSUPPORTED_PROTOCOL: wasSent ? .protocolError : .invalidRequest
            // Only its own limit on connecting makes libcurl say so: the other deadlines are ours.
            case CURLE_OPERATION_TIMEDOUT: wasSent ? .connectionLost : .connectTimeout
            case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_HTTP2,
                CURLE_HTTP2_STREAM, CURLE_SSL_SHUTDOWN_FAILED:
                wasSent ? .connectionLost : .connectFailed
            case CURLE_ABORTED_BY_CALLBACK: addressWasRefused ? .addressForbidden : .cancelled
            // A single header line beyond libcurl's own limit.
            case CURLE_OUT_OF_MEMORY: hasHead ? .protocolError : .tooLarge
            default: .protocolError
            }
        self.init(code, mayHaveReachedServer: wasSent, libraryCode: libraryCode)
    }
}
