// SPDX-License-Identifier: Apache-2.0

/// What a provider configuration may be asked for, by all processes together. `nil` is no limit.
package struct ProviderLimits: Sendable, Hashable {
    /// Calls under way at once, from 1.
    package var maximumConcurrent: Int?
    /// Calls begun within any minute, from 1.
    package var requestsPerMinute: Int?
    /// Tokens of prompts and replies within any minute, as reserved before and corrected after each call, from 1.
    package var tokensPerMinute: Int?

    /// Without a limit unless given.
    package init(maximumConcurrent: Int? = nil, requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil) {
        self.maximumConcurrent = maximumConcurrent
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
    }

    /// Whether nothing is limited: then no call costs a statement.
    package var isEmpty: Bool { maximumConcurrent == nil && requestsPerMinute == nil && tokensPerMinute == nil }

    /// How many tokens a call has to reserve, and the longest reply that this allows.
    ///
    /// A call larger than the whole budget could never run; its reply is cut to what the budget can hold instead.
    ///
    /// - Returns: `nil` when the prompt alone is above the budget.
    package func reservation(promptTokens: Int, outputTokens: Int) -> (tokens: Int, outputTokens: Int)? {
        guard let budget = tokensPerMinute else { return (0, outputTokens) }
        let output = min(outputTokens, budget - promptTokens)
        return output > 0 ? (promptTokens + output, output) : nil
    }
}
