// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// What a reply begins with: a turn, what lies above it, and what its session wants.
package struct TurnThread: ClaimAttachment {
    /// Whose conversation it is.
    package let userID: UserID
    /// The turn that is answered: the last message.
    package let leafID: MessageID
    /// The conversation.
    package let sessionID: SessionID
    /// The session's model; `nil` takes the default of the day.
    package let modelID: ModelID?
    /// What the session wants every turn to be told.
    package let instructions: String?
    /// Oldest first; never empty.
    package let messages: [StoredMessage]

    /// - Returns: `nil` when the turn is not among the rows.
    init?(
        endingAt leaf: MessageID, owner: UserID, modelID: ModelID?, instructions: String?, in rows: [StoredMessage]
    ) {
        messages = MessageThread.path(to: leaf, in: rows)
        guard let last = messages.last else { return nil }
        userID = owner
        leafID = leaf
        sessionID = last.sessionID
        self.modelID = modelID
        self.instructions = instructions
    }

    /// Whether it is what the job's payload names, and its owner's.
    package func belongs(to payload: ChatPayload, of job: ClaimedJob) -> Bool {
        userID == job.userID && sessionID == payload.sessionID && leafID == payload.userMessageID
    }
}
