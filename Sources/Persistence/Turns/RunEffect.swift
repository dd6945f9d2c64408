// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What the end of a run changes outside the queue, in the same transaction.
package enum RunEffect: Sendable {
    case none
    /// The reply's text, status and figures.
    case reply(ReplyEnd)
    /// A title for a session whose person gave it none.
    case title(session: SessionID, owner: UserID, title: String)
}

/// A reply as it is stored at the end of its run.
package struct ReplyEnd: Sendable {
    package var messageID: MessageID
    package var sessionID: SessionID
    package var owner: UserID
    /// The fold of the log.
    package var content: String
    package var status: MessageStatus
    package var finishReason: FinishReason?
    package var failure: StreamFailure?
    package var usage: Usage
    /// The provider's name for the model, and the provider.
    package var model: String
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
