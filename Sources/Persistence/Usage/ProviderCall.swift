// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// One call to a provider, as the ledger knows it.
package struct ProviderCall: Sendable, Hashable {
    /// Whose run made it.
    package var lease: Lease
    /// From 1 within the lease.
    package var number: Int16
    /// Who pays.
    package var userID: UserID
    /// The conversation, if it was for one.
    package var sessionID: SessionID?
    /// The reply it writes; `nil` for titles, summaries and embeddings, which are no rounds of the conversation.
    package var messageID: MessageID?
    /// The provider's name of the model.
    package var model: String
    /// The provider.
    package var provider: String

    /// See the properties.
    package init(
        lease: Lease, number: Int16, userID: UserID, sessionID: SessionID? = nil, messageID: MessageID? = nil,
        model: String, provider: String
    ) {
        self.lease = lease
        self.number = number
        self.userID = userID
        self.sessionID = sessionID
        self.messageID = messageID
        self.model = model
        self.provider = provider
    }
}
