// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Counts the tokens of text in one encoding.
///
/// Counts are stored with the message under `encodingName` and recomputed when the name changes. Implementations are
/// called off the event loops and cost linear time.
package protocol TokenCounter: Sendable {
    /// Names the rule of counting, like `o200k_base`; bounded, so it may label a metric.
    var encodingName: String { get }

    /// Whether counts may differ from the provider's, and usage made of them says so.
    var isEstimate: Bool { get }

    /// The tokens of plain text; what looks like a special token counts as text.
    func countTokens(in text: String) -> Int
}

/// What a chat format adds to the text of messages.
package enum MessageOverhead {
    /// Around each message.
    package static let tokensPerMessage = 3
    /// For a name, beside its text.
    package static let tokensPerName = 1
}

extension TokenCounter {
    /// What a message costs in a prompt: its overhead, role, text, name, function calls and images. The primer of the
    /// reply is added once a prompt, by ``ContextBudget``.
    package func countTokens(in message: ChatMessage, imageCost: ImageCost = .unknown) -> Int {
        var tokens =
            MessageOverhead.tokensPerMessage + countTokens(in: message.role.rawValue)
            + countTokens(in: message.content)
        if let name = message.name.flatMap(ChatMessage.wireName) {
            tokens += MessageOverhead.tokensPerName + countTokens(in: name)
        }
        for part in message.parts {
            switch part {
            case .text(let text): tokens += countTokens(in: text)
            case .image(let image): tokens += imageCost.tokens(for: image)
            }
        }
        for call in message.toolCalls {
            tokens += MessageOverhead.tokensPerMessage + countTokens(in: call.name) + countTokens(in: call.arguments)
        }
        return tokens
    }

    /// What a system message of this text costs in a prompt.
    package func countedText(_ text: String) -> CountedText {
        CountedText(text: text, tokens: countTokens(in: ChatMessage(role: .system, content: text)))
    }

    /// What a whole prompt costs, with the reply's primer.
    package func countTokens(inPrompt messages: [ChatMessage], imageCost: ImageCost = .unknown) -> Int {
        messages.reduce(ContextBudget.replyPrimerTokens) { $0 + countTokens(in: $1, imageCost: imageCost) }
    }
}
