// SPDX-License-Identifier: Apache-2.0

/// What does not fit the model's window. Never retryable as it is; clients see ``ErrorCode/contextLength`` and the
/// sentence, which says both numbers.
package struct ContextError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which part of the prompt is too long by itself.
    package enum Part: String, Hashable, Sendable {
        case instructions
        case newestMessage
    }

    /// Which part is too long.
    package let part: Part
    /// What the part needs, in tokens.
    package let requiredTokens: Int
    /// What there is for it, in tokens.
    package let availableTokens: Int

    /// Part and numbers, for the log.
    package var description: String {
        "context \(part.rawValue): \(requiredTokens) tokens required, \(availableTokens) available"
    }

    /// The sentence a person reads.
    package var message: String {
        switch part {
        case .instructions:
            "The instructions need \(requiredTokens) tokens, but this model leaves room for \(availableTokens). "
                + "Shorten them or choose a model with a larger context."
        case .newestMessage:
            "The message needs \(requiredTokens) tokens, but this model leaves room for \(availableTokens). "
                + "Shorten it or choose a model with a larger context."
        }
    }

    /// What the job's stream ends with.
    package var failure: StreamFailure { StreamFailure(code: .contextLength, message: message) }
}
