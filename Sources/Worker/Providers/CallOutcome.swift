// SPDX-License-Identifier: Apache-2.0
import Chat
import Providers

/// What a call's end says about its provider, whatever it means for the job. Pure.
enum CallOutcome: Equatable {
    /// It lives: it answered, be it with a refusal.
    case alive
    /// It failed in a way that it is to blame for.
    case failed
    /// It asked to be left alone; `nil` does not say for how long.
    case busy(for: Duration?)
    /// Nothing: the call was ended by us, or never got so far.
    case silent

    /// Of a call that ended with an error.
    init(_ error: ProviderError) {
        if error.code == .rateLimited && error.cause != .withheld {
            self = .busy(for: error.retryAfter)
            return
        }
        if error.asksToWait {
            self = .busy(for: error.retryAfter)
            return
        }
        switch error.cause {
        case .withheld, .cancelled: self = .silent
        // An address that is forbidden or cannot be used at all is no failure of the provider.
        case .connection: self = error.isRetryable ? .failed : .silent
        // A call that talked until its time was over is no sign of trouble.
        case .timeout: self = error.hadOutput && error.code == .deadlineExceeded ? .alive : .failed
        case .status, .streamError:
            self = [.providerUnavailable, .providerTimeout].contains(error.code) ? .failed : .alive
        case .malformed, .truncated: self = error.hadOutput ? .alive : .failed
        case .streamingRefused: self = .alive
        }
    }

    /// Bounded, for metrics.
    var label: String {
        switch self {
        case .alive: "alive"
        case .failed: "failed"
        case .busy: "busy"
        case .silent: "silent"
        }
    }
}
