// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What a conversation has cost, and how full its window is.
package struct SessionUsage: Sendable, Hashable {
    /// All calls made for the conversation.
    package struct Totals: Sendable, Hashable {
        /// Provider calls.
        package let callCount: Int
        /// Tokens sent.
        package let promptTokens: Int
        /// Tokens received.
        package let completionTokens: Int
        /// Whether any of it was counted by us instead of reported.
        package let isEstimated: Bool

        /// Both.
        package var totalTokens: Int { promptTokens + completionTokens }
    }

    /// The last turn that ended: all calls of its last run.
    package struct Round: Sendable, Hashable {
        /// Tokens, window, and whether they are estimated.
        package let usage: Usage
        /// When the first of its calls was made.
        package let createdAt: Timestamp
        /// The provider's name of the model.
        package let model: String
        /// The provider.
        package let provider: String
    }

    /// The newest call, running or not.
    package struct Current: Sendable, Hashable {
        /// What the prompt held.
        package let promptTokens: Int
        /// The window, or the smaller personal limit.
        package let contextLimit: Int
        /// What is left of it after prompt and reply.
        package let contextRemaining: Int
    }

    /// Of all calls.
    package let totals: Totals
    /// `nil` before the first turn has ended.
    package let lastRound: Round?
    /// `nil` before the first call.
    package let current: Current?
}
