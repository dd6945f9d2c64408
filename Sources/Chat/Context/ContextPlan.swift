// SPDX-License-Identifier: Apache-2.0
package import JSON

/// A message with its id and what it costs, all overheads included.
package struct CountedMessage: Sendable, Hashable {
    /// The stored message.
    package var id: MessageID
    /// What is sent.
    package var message: ChatMessage
    /// Its whole cost in the prompt.
    package var tokens: Int

    /// See the properties.
    package init(id: MessageID, message: ChatMessage, tokens: Int) {
        self.id = id
        self.message = message
        self.tokens = tokens
    }
}

/// Text that becomes one system message, with its whole cost.
package struct CountedText: Sendable, Hashable {
    /// The text.
    package var text: String
    /// Its whole cost as a message, overheads included.
    package var tokens: Int

    /// See the properties.
    package init(text: String, tokens: Int) {
        self.text = text
        self.tokens = tokens
    }
}

/// A stored summary of a branch: it stands for every message from the root through one.
package struct ThreadSummary: Sendable, Hashable {
    /// The last message it stands for.
    package var throughMessageID: MessageID
    /// Its text and cost.
    package var content: CountedText

    /// See the properties.
    package init(throughMessageID: MessageID, content: CountedText) {
        self.throughMessageID = throughMessageID
        self.content = content
    }
}

/// A prompt, and why it is what it is. Stored with the reply, so that a person can see why a model "forgot".
package struct ContextPlan: Sendable, Hashable {
    /// What is sent, in order: instructions, summary or note, then the newest turns.
    package var messages: [ChatMessage]
    /// The cost of each of `messages`.
    package var tokensPerMessage: [Int]
    /// The whole prompt with the reply's primer.
    package var promptTokens: Int
    /// The window.
    package var contextLimit: Int
    /// What of the window the reply may use.
    package var reservedTokens: Int
    /// Stored messages sent as they are, oldest first.
    package var includedMessageIDs: [MessageID]
    /// Messages of the thread that are not sent as they are, oldest first.
    package var droppedMessageIDs: [MessageID]
    /// Of those, the ones that no summary stands for: what a summarization job has to refine.
    package var messagesToRefine: [MessageID]
    /// The message through which the summary in the prompt reaches; `nil` without one.
    package var summarizedThroughMessageID: MessageID?

    /// What is left of the window after the prompt.
    package var remainingTokens: Int { max(0, contextLimit - promptTokens) }

    /// The estimate that is shown before the first token.
    package func estimatedUsage(isEstimated: Bool = true) -> Usage {
        Usage(promptTokens: promptTokens, contextLimit: contextLimit, isEstimated: isEstimated)
    }

    /// Writes the figures and ids, not the texts, as stored with the reply.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("promptTokens", promptTokens)
            writer.member("contextLimit", contextLimit)
            writer.member("reservedTokens", reservedTokens)
            writer.member("remainingTokens", remainingTokens)
            writer.arrayMember("tokensPerMessage") { writer in
                for tokens in tokensPerMessage { writer.integer(tokens) }
            }
            writer.member("includedCount", includedMessageIDs.count)
            writer.member("droppedCount", droppedMessageIDs.count)
            if let first = droppedMessageIDs.first { writer.member("droppedFrom", first.description) }
            if let last = droppedMessageIDs.last { writer.member("droppedThrough", last.description) }
            if let id = summarizedThroughMessageID { writer.member("summarizedThrough", id.description) }
        }
    }
}
