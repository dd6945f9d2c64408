// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPClient

extension ProviderError {
    /// What a failure below HTTP's answers means for a call.
    ///
    /// `hadOutput` says whether output came before; `isPastDeadline` whether the call's own deadline has passed, rather
    /// than that of its first token.
    init(_ error: HTTPClientError, hadOutput: Bool, isPastDeadline: Bool, isWithinBody: Bool) {
        let code: ErrorCode
        let cause: Cause
        switch error.code {
        case .connectTimeout, .resolveFailed, .connectFailed, .tlsFailed, .addressForbidden, .invalidRequest:
            (code, cause) = (.providerUnavailable, .connection)
        case .connectionLost:
            (code, cause) = (.providerUnavailable, isWithinBody ? .truncated : .connection)
        case .firstByteTimeout:
            (code, cause) = (.firstTokenTimeout, .timeout)
        case .idleTimeout:
            (code, cause) = (hadOutput ? .idleTimeout : .firstTokenTimeout, .timeout)
        case .totalTimeout:
            (code, cause) = (isPastDeadline ? .deadlineExceeded : .firstTokenTimeout, .timeout)
        case .protocolError, .tooLarge:
            (code, cause) = (.providerBadResponse, .malformed)
        case .cancelled:
            (code, cause) = (.cancelled, .cancelled)
        }
        self.init(
            code, cause, mayHaveReachedProvider: error.mayHaveReachedServer, isRetryable: error.isRetryable,
            providerWords: error.description)
        self.hadOutput = hadOutput
    }
}
