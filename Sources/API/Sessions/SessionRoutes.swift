// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Jobs
import Observability
import Persistence

extension APIServices {
    /// `/api/sessions…`.
    func addSessionRoutes(to routes: inout APIRoutes) {
        let sessions = Sessions(services: self)
        routes.on(.get, "/api/sessions", sessions.list)
        routes.on(.post, "/api/sessions", sessions.create)
        routes.on(.get, "/api/sessions/:id", sessions.show)
        routes.on(.put, "/api/sessions/:id", sessions.update)
        // Jobs are told to end after the commit, so the rest is not left undone.
        routes.on(.delete, "/api/sessions/:id", cancelsOnDisconnect: false, sessions.delete)
        routes.on(.get, "/api/sessions/:id/messages", sessions.messages)
        routes.on(.get, "/api/sessions/:id/events", sessions.events)
    }
}

/// Conversations of the person who asks.
struct Sessions: Sendable {
    static let defaultTitle = "New chat"
    private static let title = TextRule.notBlank(upTo: 200)
    private static let instructions = TextRule(length: 0...100_000)
    private static let tag = TextRule.notBlank(upTo: 64)
    private static let maximumTags = 32

    let services: APIServices

    @Sendable func list(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (cursor, limit, archived) = try request.query { query in
            (query.cursor(as: TimeCursor.self), query.limit(), query.bool("archived"))
        }
        let page = try await APIError.mapping {
            try await services.sessions.list(of: user, after: cursor, archived: archived, limit: limit)
        }
        return .page(page.items, nextCursor: page.nextCursor?.description) { $0.write(to: &$1) }
    }

    @Sendable func create(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (title, chosen, instructions, tags) = try await request.fields { fields in
            let modelID: ModelID? = fields.optionalID("modelId")
            return (
                fields.optionalString("title", Self.title), modelID,
                fields.optionalString("instructions", Self.instructions),
                fields.optionalStrings("tags", upTo: Self.maximumTags, Self.tag)
            )
        }
        var new = NewSession(id: services.ids.next(), userID: user, title: title ?? Self.defaultTitle)
        new.titleSource = title == nil ? .default : .user
        new.modelID = try await modelID(chosen, for: user)
        new.instructions = instructions.flatMap { $0.isEmpty ? nil : $0 }
        new.tags = tags ?? []
        let session = try await APIError.mapping { [new] in try await services.sessions.create(new) }
        return .data(.created) { session.write(to: &$0) }
    }

    @Sendable func show(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let session = try await find(request)
        return .data { session.write(to: &$0) }
    }

    @Sendable func update(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let id: SessionID = try request.pathID()
        var changes = try await request.fields { fields in
            var changes = SessionChanges()
            changes.title = fields.optionalString("title", Self.title)
            changes.modelID = fields.idChange("modelId")
            changes.instructions = fields.stringChange("instructions", Self.instructions)
            changes.archived = fields.optionalBool("archived")
            changes.tags = fields.optionalStrings("tags", upTo: Self.maximumTags, Self.tag)
            return changes
        }
        if case .set(let text?) = changes.instructions, text.isEmpty { changes.instructions = .set(nil) }
        if case .set(let model) = changes.modelID { changes.modelID = .set(try await modelID(model, for: user)) }
        let session = try await APIError.mapping { [changes] in
            try await services.sessions.update(id, user: user, changes)
        }
        return .data { session.write(to: &$0) }
    }

    @Sendable func delete(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let id: SessionID = try request.pathID()
        var notices = CancellationNotices()
        try await APIError.mapping {
            try await services.sessions.delete(id, user: user) { transaction, jobs in
                // The store may undo and begin again: what the attempt before has found does not count.
                notices = CancellationNotices()
                for job in jobs {
                    notices.add(try await services.queue.cancelWithin(transaction, job, owner: user))
                }
            }
        }
        notices.send(to: services.notifier)
        return .object { writer in
            writer.member("id", id.description)
            writer.member("deleted", true)
        }
    }

    @Sendable func messages(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (leaf, cursor, limit): (MessageID?, MessageID?, Int) = try request.query { query in
            (query.id("leaf"), query.cursor(), query.limit())
        }
        let session = try await find(request)
        guard let end = leaf ?? session.leafID else {
            return .page([], nextCursor: nil) { (message: PlacedMessage, writer) in message.write(to: &writer) }
        }
        let page = try await APIError.mapping {
            try await services.messages.path(to: end, in: session.id, user: user, above: cursor, limit: limit)
        }
        if page.items.isEmpty, cursor == nil, leaf != nil { throw .notFound("This message") }
        return .page(page.items, nextCursor: page.nextCursor?.description) { $0.write(to: &$1) }
    }
}

extension Sessions {
    /// The session of the path, if it is the person's.
    func find(_ request: APIRequest) async throws(APIError) -> ChatSession {
        let user = try request.userID
        let id: SessionID = try request.pathID()
        let session = try await APIError.mapping { try await services.sessions.find(id, user: user) }
        guard let session else { throw .notFound("This session") }
        return session
    }

    /// The choice if the person can make it, or the default of the day. No key is opened for that.
    private func modelID(_ chosen: ModelID?, for user: UserID) async throws(APIError) -> ModelID {
        try await APIError.mapping {
            if let chosen {
                guard let model = try await services.models.find(chosen, visibleTo: user) else {
                    throw APIError.notFound("This model")
                }
                return model.id
            }
            if let id = services.settings.current.defaultModelID,
                let model = try await services.models.find(id, visibleTo: user)
            {
                return model.id
            }
            return try await services.models.resolve(nil, for: user, defaultID: nil).id
        }
    }
}
