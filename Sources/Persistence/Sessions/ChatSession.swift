// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Where a title comes from; one a person wrote is never overwritten. The raw value is stored and is what clients see.
package enum TitleSource: String, Sendable, Hashable, CaseIterable {
    /// What every new session is called.
    case `default`
    /// A title job.
    case generated
    /// A person.
    case user
}

/// A conversation, without its messages.
package struct ChatSession: Sendable, Hashable {
    /// Also the serial key of its turns.
    package let id: SessionID
    /// As written or made.
    package let title: String
    /// Where the title comes from.
    package let titleSource: TitleSource
    /// The model of its turns; `nil` takes the default of the day.
    package let modelID: ModelID?
    /// What a person wants every turn to be told.
    package let instructions: String?
    /// The end of the branch that is shown; `nil` while it is empty.
    package let leafID: MessageID?
    /// Messages on all branches.
    package let messageCount: Int
    /// Put aside by its owner.
    package let isArchived: Bool
    /// Words of its owner's.
    package let tags: [String]
    /// Raised by every change, so that a page that stays open can tell whether it is behind.
    package let version: Int64
    /// By the database's clock.
    package let createdAt: Timestamp
    /// The last activity, by which lists are ordered.
    package let updatedAt: Timestamp

    init(_ columns: inout ColumnReader) throws(PersistenceError) {
        id = try columns.next()
        title = try columns.next()
        titleSource = try columns.nextWord()
        modelID = try columns.next()
        instructions = try columns.next()
        leafID = try columns.next()
        messageCount = try columns.next()
        isArchived = try columns.next()
        tags = try columns.next()
        version = try columns.next()
        createdAt = try columns.next()
        updatedAt = try columns.next()
    }
}

/// A conversation that begins.
package struct NewSession: Sendable {
    /// UUIDv7, chosen by the caller.
    package var id: SessionID
    /// Its owner.
    package var userID: UserID
    /// As sent, or the usual one.
    package var title: String
    /// `user` when the request had a title.
    package var titleSource = TitleSource.default
    /// One that the owner can choose; checked by the caller.
    package var modelID: ModelID?
    /// As sent.
    package var instructions: String?
    /// As sent.
    package var tags: [String] = []

    /// The rest has defaults.
    package init(id: SessionID, userID: UserID, title: String) {
        self.id = id
        self.userID = userID
        self.title = title
    }
}

/// What a person changes of a conversation.
package struct SessionChanges: Sendable {
    /// Makes the title the person's own.
    package var title: String?
    /// One that the owner can choose; checked by the caller.
    package var modelID = FieldChange<ModelID>.keep
    /// For all turns from now on.
    package var instructions = FieldChange<String>.keep
    /// Puts it aside, or back.
    package var archived: Bool?
    /// All of them.
    package var tags: [String]?

    /// Changes nothing yet.
    package init() {}
}
