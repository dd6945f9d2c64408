// SPDX-License-Identifier: Apache-2.0
package import JSON

/// Token figures of one turn, in the providers' own snake-case names on the wire.
package struct Usage: Sendable, Hashable {
    /// Tokens sent to the model.
    package var promptTokens: Int
    /// Tokens the model wrote; `nil` in an estimate made before the first.
    package var completionTokens: Int?
    /// The model's window, or the smaller personal limit.
    package var contextLimit: Int
    /// Whether any figure was counted by us instead of reported by the provider.
    package var isEstimated: Bool
    private var reportedTotalTokens: Int?

    /// The total is the sum of the parts unless the provider's own is given, which may hold more than the two.
    package init(
        promptTokens: Int, completionTokens: Int? = nil, totalTokens: Int? = nil, contextLimit: Int, isEstimated: Bool
    ) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.contextLimit = contextLimit
        self.isEstimated = isEstimated
        let sum = promptTokens + (completionTokens ?? 0)
        reportedTotalTokens = totalTokens == sum ? nil : totalTokens
    }

    /// The provider's total, or the sum.
    package var totalTokens: Int { reportedTotalTokens ?? promptTokens + (completionTokens ?? 0) }

    /// What is left of the window after prompt and reply; never negative.
    package var contextRemaining: Int { max(0, contextLimit - promptTokens - (completionTokens ?? 0)) }
}

extension Usage {
    /// Writes the fields into an object that the caller has begun.
    package func writeFields(to writer: inout JSONWriter) {
        writer.member("prompt_tokens", promptTokens)
        if let completionTokens { writer.member("completion_tokens", completionTokens) }
        writer.member("total_tokens", totalTokens)
        writer.member("context_limit", contextLimit)
        writer.member("context_remaining", contextRemaining)
        writer.member("estimated", isEstimated)
    }

    /// Reads what `writeFields` wrote.
    /// - Throws: ``StoredValueError`` when a field is missing.
    package init(_ value: JSONValue) throws(StoredValueError) {
        let fields = try StoredObject(value)
        self.init(
            promptTokens: try fields.integer("prompt_tokens"),
            completionTokens: try fields.optionalInteger("completion_tokens"),
            totalTokens: try fields.integer("total_tokens"),
            contextLimit: try fields.integer("context_limit"),
            isEstimated: try fields.bool("estimated"))
    }
}
