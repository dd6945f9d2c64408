// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What the end of a run changes outside the queue, in the same transaction.
package enum RunEffect: Sendable {
    /// Jobs that only matter to the queue.
    case none
    /// The reply's text, status and figures.
    case reply(ReplyEnd)
    /// What a call has cost whose run goes on later, or elsewhere, with another: nothing of it is in the stored reply.
    case usage(ProviderCall, Usage)
    /// A title for a session whose person gave it none.
    case title(session: SessionID, owner: UserID, title: String)
}

/// A reply as it is stored at the end of its run.
package struct ReplyEnd: Sendable {
    /// The placeholder that the submission made.
    package var messageID: MessageID
    /// Where it hangs; its time of last change moves too.
    package var sessionID: SessionID
    /// Bound into every statement: a foreign id changes nothing.
    package var owner: UserID
    /// The fold of the log.
    package var content: String
    /// Complete, cut short or failed; a reply with any text is never just failed.
    package var status: MessageStatus
    /// In the provider's sense; nil when it did not come to one.
    package var finishReason: FinishReason?
    /// Shown with the message; nil for a success.
    package var failure: StreamFailure?
    /// Reported by the provider or estimated; which of them is part of it.
    package var usage: Usage
    /// The provider's name for the model, and the provider.
    package var model: String
    /// The word under which the figures are added up.
    package var provider: String
    /// The call that the figures belong to; nil when none was made.
    package var call: ProviderCall?

    /// See the properties.
    package init(
        messageID: MessageID, sessionID: SessionID, owner: UserID, content: String, status: MessageStatus,
        finishReason: FinishReason?, failure: StreamFailure?, usage: Usage, model: String, provider: String,
        call: ProviderCall?
    ) {
        self.messageID = messageID
        self.sessionID = sessionID
        self.owner = owner
        self.content = content
        self.status = status
        self.finishReason = finishReason
        self.failure = failure
        self.usage = usage
        self.model = model
        self.provider = provider
        self.call = call
    }
}
