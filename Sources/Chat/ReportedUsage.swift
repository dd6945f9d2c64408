// SPDX-License-Identifier: Apache-2.0

/// What a provider has said about one call so far. Each may come alone, late, or never: figures are cumulative, so the
/// later report of a field replaces the earlier.
package struct ReportedUsage: Sendable, Hashable {
    /// The whole prompt, with what came from a cache.
    package var promptTokens: Int?
    /// The reply, with its thinking.
    package var completionTokens: Int?
    /// The provider's own total, which may hold more than the two.
    package var totalTokens: Int?
    /// Of the prompt, what came from a cache.
    package var cachedPromptTokens: Int?
    /// Of the completion, the thinking.
    package var reasoningTokens: Int?

    /// Nothing reported unless given.
    package init(
        promptTokens: Int? = nil, completionTokens: Int? = nil, totalTokens: Int? = nil,
        cachedPromptTokens: Int? = nil, reasoningTokens: Int? = nil
    ) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.totalTokens = totalTokens
        self.cachedPromptTokens = cachedPromptTokens
        self.reasoningTokens = reasoningTokens
    }

    /// Takes a later report of the same call. A total that was reported before a part changed is stale and dropped.
    package mutating func merge(_ later: ReportedUsage) {
        let partsChange =
            (later.promptTokens ?? promptTokens, later.completionTokens ?? completionTokens)
            != (promptTokens, completionTokens)
        totalTokens = later.totalTokens ?? (partsChange ? nil : totalTokens)
        promptTokens = later.promptTokens ?? promptTokens
        completionTokens = later.completionTokens ?? completionTokens
        cachedPromptTokens = later.cachedPromptTokens ?? cachedPromptTokens
        reasoningTokens = later.reasoningTokens ?? reasoningTokens
    }
}

extension Usage {
    /// The final figures of a call: the provider's where it gave them, ours for the rest, and then marked as estimated.
    /// A prompt reported as 0 counts as not reported: some servers send zeros.
    /// - Parameters:
    ///   - reported: all reports merged.
    ///   - countedPromptTokens: our count of the prompt.
    ///   - countedCompletionTokens: our count of the text received.
    ///   - contextLimit: the window.
    package init(
        reported: ReportedUsage, countedPromptTokens: Int, countedCompletionTokens: Int, contextLimit: Int
    ) {
        let prompt = reported.promptTokens.flatMap { $0 > 0 ? $0 : nil }
        let completion = reported.completionTokens.flatMap { $0 > 0 || countedCompletionTokens == 0 ? $0 : nil }
        let isComplete = prompt != nil && completion != nil
        self.init(
            promptTokens: prompt ?? countedPromptTokens,
            completionTokens: completion ?? countedCompletionTokens,
            totalTokens: isComplete ? reported.totalTokens.flatMap { $0 > 0 ? $0 : nil } : nil,
            contextLimit: contextLimit,
            isEstimated: !isComplete)
    }

    /// The sum of two calls of one turn, as when a broken upstream was continued. The window is that of the later.
    package func adding(_ later: Usage) -> Usage {
        Usage(
            promptTokens: promptTokens + later.promptTokens,
            completionTokens: (completionTokens ?? 0) + (later.completionTokens ?? 0),
            totalTokens: totalTokens + later.totalTokens,
            contextLimit: later.contextLimit,
            isEstimated: isEstimated || later.isEstimated)
    }
}
