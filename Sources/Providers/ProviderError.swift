// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Why a provider gave no answer, or only part of one: the one error of this module.
package struct ProviderError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing failed, for decisions that the code alone does not allow.
    package enum Cause: String, Hashable, Sendable {
        /// No connection, or none that lasted to an answer.
        case connection
        /// A deadline of ours.
        case timeout
        /// The provider answered with an error.
        case status
        /// The provider sent an error within its answer.
        case streamError
        /// What came could not be understood.
        case malformed
        /// The answer ended before it was whole.
        case truncated
        /// The provider answers, but not in pieces.
        case streamingRefused
        case cancelled
        /// We did not ask, because the provider may not be asked now: its budget is spent, or it is blocked.
        case withheld
    }

    /// What clients see.
    package var code: ErrorCode
    /// What kind of thing failed.
    package var cause: Cause
    /// The provider's HTTP status, where it gave one.
    package var status: Int?
    /// How long the provider asks us to wait.
    package var retryAfter: Duration?
    /// Whether anything a person can see came before.
    package var hadOutput = false
    /// Whether the provider may have begun to work, and to charge.
    package var mayHaveReachedProvider: Bool
    /// Whether the same call may succeed later.
    package var isRetryable: Bool
    /// The provider's own machine word.
    package var providerCode: String?
    /// The provider's words without keys, cut short, for the log; they may quote the prompt.
    package var providerWords: String?
    /// What the provider's header fields said of its budgets.
    package var budget = ProviderBudgetReport()

    /// Retryable as the code is, unless said otherwise.
    package init(
        _ code: ErrorCode, _ cause: Cause, status: Int? = nil, retryAfter: Duration? = nil,
        mayHaveReachedProvider: Bool = true, isRetryable: Bool? = nil, providerCode: String? = nil,
        providerWords: String? = nil
    ) {
        self.code = code
        self.cause = cause
        self.status = status
        self.retryAfter = retryAfter
        self.mayHaveReachedProvider = mayHaveReachedProvider
        self.isRetryable = isRetryable ?? code.isRetryable
        self.providerCode = providerCode
        self.providerWords = providerWords
    }

    /// Code, cause and status; no words of the provider.
    package var description: String {
        status.map { "\(code.rawValue) (\(cause.rawValue), status \($0))" } ?? "\(code.rawValue) (\(cause.rawValue))"
    }

    func afterOutput(_ hadOutput: Bool) -> ProviderError {
        var error = self
        error.hadOutput = hadOutput
        return error
    }
}
