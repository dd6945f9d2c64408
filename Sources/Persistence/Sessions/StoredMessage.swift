// SPDX-License-Identifier: Apache-2.0
package import Chat

/// A message of a conversation as it is stored.
package struct StoredMessage: Sendable, Hashable, MessageNode {
    /// Why a reply has not become whole.
    package struct Failure: Sendable, Hashable {
        /// A word of ``ErrorCode``, or one that a later version added.
        package let code: String
        /// The sentence a person reads.
        package let message: String
    }

    /// Sorts by the time it was made.
    package let id: MessageID
    /// Its conversation.
    package let sessionID: SessionID
    /// The message it answers; `nil` at a root.
    package let parentID: MessageID?
    /// Who speaks.
    package let role: MessageRole
    /// The text; while a reply is written, what was stored of it last.
    package let content: String
    /// What is more than text.
    package let parts: [MessagePart]
    /// How far it has come.
    package let status: MessageStatus
    /// Why a reply's text ends.
    package let finishReason: FinishReason?
    /// Why it has not become whole.
    package let failure: Failure?
    /// A reply's figures.
    package let usage: Usage?
    /// The model that wrote it, by the provider's name for it.
    package let model: String?
    /// The provider that was asked.
    package let provider: String?
    /// The job that writes or wrote it.
    package let jobID: JobID?
    /// By the database's clock.
    package let createdAt: Timestamp

    init(_ columns: inout ColumnReader) throws(PersistenceError) {
        id = try columns.next()
        sessionID = try columns.next()
        parentID = try columns.next()
        role = try columns.nextWord()
        content = try columns.next()
        parts = try StoredJSON.parts(try columns.next())
        status = try columns.nextWord()
        let finishReason: String? = try columns.next()
        self.finishReason = finishReason.map(FinishReason.init(rawValue:))
        let errorCode: String? = try columns.next()
        let errorMessage: String? = try columns.next()
        failure = errorCode.map { Failure(code: $0, message: errorMessage ?? "") }
        usage = try StoredJSON.usage(try columns.next())
        model = try columns.next()
        provider = try columns.next()
        jobID = try columns.next()
        createdAt = try columns.next()
    }

    /// As a prompt holds it.
    package var chatMessage: ChatMessage { ChatMessage(role: role, content: content, parts: parts) }
}

/// A message and its place among those that answer the same one, so that a page can offer the other branches.
package struct PlacedMessage: Sendable, Hashable {
    /// The message.
    package let message: StoredMessage
    /// From 0, the oldest first.
    package let siblingIndex: Int
    /// With itself: 1 or more.
    package let siblingCount: Int

    init(_ columns: inout ColumnReader) throws(PersistenceError) {
        message = try StoredMessage(&columns)
        siblingIndex = try columns.next()
        siblingCount = try columns.next()
    }
}
