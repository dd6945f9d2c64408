// SPDX-License-Identifier: Apache-2.0
package import Chat

/// A piece of an answer. Text is valid Unicode without U+0000.
package enum ProviderEvent: Sendable, Hashable {
    /// Text.
    case content(String)
    /// Thinking.
    case reasoning(String)
    /// A piece of a function call.
    case toolCall(ToolCallDelta)
    /// Why the answer ends; figures may still follow.
    case finish(FinishReason)
    /// What the provider counted so far.
    case usage(ReportedUsage)

    /// Whether a person can see something of it: then a failed call cannot be repeated unnoticed.
    package var isOutput: Bool {
        switch self {
        case .content, .reasoning, .toolCall: true
        case .finish, .usage: false
        }
    }
}

extension [ProviderEvent] {
    /// Adds an event and joins it with the last one where both are text of a kind.
    mutating func appendJoining(_ event: ProviderEvent) {
        switch (last, event) {
        case (.content(let before), .content(let after)): self[count - 1] = .content(before + after)
        case (.reasoning(let before), .reasoning(let after)): self[count - 1] = .reasoning(before + after)
        default: append(event)
        }
    }
}

/// A whole answer.
package struct ProviderCompletion: Sendable, Hashable {
    /// The text.
    package var content: String
    /// The thinking, empty where none was shown.
    package var reasoning: String
    /// Function calls in their order.
    package var toolCalls: [ToolCall]
    /// Why it ends.
    package var finishReason: FinishReason
    /// What the provider counted.
    package var usage: ReportedUsage?
    /// The provider's own id of the request, for the log.
    package var requestID: String?
    /// Members of the request that the provider refused and that were left out.
    package var omittedParameters: Set<String>
    /// What the provider's header fields said of its budgets.
    package var budget = ProviderBudgetReport()

    /// See the properties.
    package init(
        content: String, reasoning: String = "", toolCalls: [ToolCall] = [], finishReason: FinishReason,
        usage: ReportedUsage? = nil, requestID: String? = nil, omittedParameters: Set<String> = []
    ) {
        self.content = content
        self.reasoning = reasoning
        self.toolCalls = toolCalls
        self.finishReason = finishReason
        self.usage = usage
        self.requestID = requestID
        self.omittedParameters = omittedParameters
    }

    /// The answer as the events a stream would have brought, for callers that asked again without streaming.
    package var events: [ProviderEvent] {
        var events: [ProviderEvent] = []
        if !reasoning.isEmpty { events.append(.reasoning(reasoning)) }
        if !content.isEmpty { events.append(.content(content)) }
        for (index, call) in toolCalls.enumerated() {
            events.append(
                .toolCall(ToolCallDelta(index: index, id: call.id, name: call.name, arguments: call.arguments)))
        }
        events.append(.finish(finishReason))
        if let usage { events.append(.usage(usage)) }
        return events
    }
}
