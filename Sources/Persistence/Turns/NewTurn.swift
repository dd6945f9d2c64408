// SPDX-License-Identifier: Apache-2.0
package import Chat
package import JSON
package import Jobs

/// What a person sends, with the ids that the caller has chosen for everything it makes: a submission whose
/// commit was ambiguous is repeated with the same ids and changes nothing.
package struct NewTurn: Sendable {
    /// What to do when a reply of the session is under way.
    package enum OnBusy: String, Sendable, CaseIterable {
        /// Behind it.
        case queue
        /// Refuse.
        case reject
        /// Stop it, and whatever waits behind it, first.
        case interrupt
    }

    /// The owner; a session of another is not found.
    package let userID: UserID
    /// Where the turn goes; its line of jobs has the same 128 bits.
    package let sessionID: SessionID
    /// The witness of a commit whose answer was lost.
    package let jobID: JobID
    /// The reply.
    package let messageID: MessageID
    /// The message that the person sent.
    package let userMessageID: MessageID
    /// Used only when the turn is a first one that gets a title.
    package let titleJobID: JobID
    /// As sent.
    package var content: String
    /// Pictures and more text that go with it, in order.
    package var parts: [MessagePart] = []
    /// Where the turn hangs; nil is the session's leaf, which may be the reply under way.
    package var parentMessageID: MessageID?
    /// The model of this turn; nil is the session's, then the default.
    package var modelID: ModelID?
    /// The model that is asked when neither the turn nor the session names one; only for the place in line.
    package var defaultModelID: ModelID?
    /// The model that makes titles; nil is the turn's. Only for the place in line.
    package var titleModelID: ModelID?
    /// `temperature`, `maxTokens`, …: checked when the request came.
    package var parameters: JSONObject = [:]
    /// Matters only while the session has a reply under way.
    package var onBusy = OnBusy.queue
    /// Makes a repeated request answer with the first one's turn; nil does not.
    package var idempotencyKey: IdempotencyKey?
    /// Whether a first turn also asks for a title.
    package var wantsTitle = true
    /// How long the reply may take in all.
    package var runLimit: Duration = .seconds(900)

    /// The ids; the rest has defaults or is set.
    package init(
        userID: UserID, sessionID: SessionID, jobID: JobID, messageID: MessageID, userMessageID: MessageID,
        titleJobID: JobID, content: String
    ) {
        self.userID = userID
        self.sessionID = sessionID
        self.jobID = jobID
        self.messageID = messageID
        self.userMessageID = userMessageID
        self.titleJobID = titleJobID
        self.content = content
    }
}

/// A stored turn.
package struct AcceptedTurn: Sendable, Hashable {
    /// What writes the reply, and the stream to follow.
    package let jobID: JobID
    /// The reply.
    package let messageID: MessageID
    /// The message that the person sent.
    package let userMessageID: MessageID
    /// Where both were stored.
    package let sessionID: SessionID
}

/// What became of a submission.
package enum TurnSubmission: Sendable {
    /// Stored. `opening` is what its stream begins with, when that is known for certain; `stopped` is what it has
    /// interrupted, and of whom to tell.
    case accepted(AcceptedTurn, opening: [LoggedEvent], stopped: StoppedTurns)
    /// The same request was stored before; this is its turn.
    case repeated(AcceptedTurn)
    /// The key belongs to another request.
    case idempotencyMismatch
    /// The session has a reply under way and the request does not want to wait.
    case busy
    /// There is no such session of this owner.
    case sessionNotFound
    /// The session has no such message.
    case parentNotFound

    /// The turn that is stored; nil where none is.
    package var turn: AcceptedTurn? {
        switch self {
        case .accepted(let turn, _, _), .repeated(let turn): turn
        case .idempotencyMismatch, .busy, .sessionNotFound, .parentNotFound: nil
        }
    }
}
