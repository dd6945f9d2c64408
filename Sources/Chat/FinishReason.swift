// SPDX-License-Identifier: Apache-2.0

/// Why a reply's text ends: the provider's reason in OpenAI's words, or ours. Open, because providers add reasons.
package struct FinishReason: RawRepresentable, Hashable, Sendable {
    /// The word clients see.
    package let rawValue: String

    /// Any word.
    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The model ended its text.
    package static let stop = FinishReason(rawValue: "stop")
    /// The limit of output tokens, or the window, was reached.
    package static let length = FinishReason(rawValue: "length")
    /// The model waits for function results.
    package static let toolCalls = FinishReason(rawValue: "tool_calls")
    /// The provider cut the text.
    package static let contentFilter = FinishReason(rawValue: "content_filter")
    /// A person stopped it; the reply is incomplete.
    package static let cancelled = FinishReason(rawValue: "cancelled")
}
