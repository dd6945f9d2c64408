// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Providers

extension JobFailure {
    /// What a provider's error means for the job. Its words go to the log and the error history only.
    init(_ error: ProviderError) {
        let kind: Class =
            switch error.code {
            // What may never go, as a prompt above the model's limit of tokens a minute, would wait for ever.
            case _ where error.cause == .withheld && !error.isRetryable: .fatal
            case _ where error.cause == .withheld: error.hadOutput ? .retry : .waiting
            case .rateLimited: error.hadOutput ? .retry : .rateLimited
            // A provider that is overloaded and says until when asks to wait, as with a 429.
            case .providerUnavailable where error.asksToWait: error.hadOutput ? .retry : .rateLimited
            case .cancelled: .interrupted
            default: error.isRetryable ? .retry : .fatal
            }
        let words = error.providerWords.map { "\(error): \($0)" } ?? "\(error)"
        self.init(kind, error.code, words, retryAfter: error.retryAfter)
    }

    /// What a failed read of our own means: away is no fault of the job.
    init(reading error: PersistenceError) {
        switch error.code {
        case .unavailable, .cancelled, .stale: self.init(.interrupted, .internalError, error.description)
        case .notFound: self.init(.fatal, .internalError, "the model of the turn is gone")
        default: self.init(.retry, .internalError, error.description)
        }
    }
}
