// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import HTTP
import JSON
import Jobs
import Observability
import Persistence

/// Submits turns, for the routes that answer with a stream and the one that waits.
struct ChatTurns: Sendable {
    /// For a message with images.
    static let maxBodyBytes = 24 << 20
    /// Longer bodies are hashed and read off the event loops.
    private static let largeBytes = 64 << 10

    let services: APIServices

    /// Stores the turn of a request, or finds the one that the same request has made before. The route's pattern is
    /// part of an idempotency key's scope.
    ///
    /// - Returns: the turn, and what its stream begins with; nil for the turn of an earlier request.
    func submit(
        _ request: APIRequest, route: String
    ) async throws(APIError) -> (turn: AcceptedTurn, opening: [LoggedEvent]?) {
        let user = try request.userID
        let (object, bytes) = try await request.objectAndBytes()
        let input = try await Self.read(object, isLarge: bytes.count > Self.largeBytes)
        var key: IdempotencyKey?
        if let text = try input.idempotencyKey(request.head.fields) {
            key = await Self.key(text, route, user, bytes)
        }
        do throws(APIError) { try await checkModel(input, user) } catch {
            // What is refused today may have been answered when it came first.
            guard let key, try await isKnown(key) else { throw error }
        }

        let ids = services.ids
        // In this order, because ids sort by the time they were made.
        let (userMessageID, messageID): (MessageID, MessageID) = (ids.next(), ids.next())
        var turn = NewTurn(
            userID: user, sessionID: input.sessionID, jobID: ids.next(), messageID: messageID,
            userMessageID: userMessageID, titleJobID: ids.next(), content: input.content)
        turn.parts = input.images.map { .image($0) }
        turn.parentMessageID = input.parentMessageID
        turn.modelID = input.modelID
        turn.defaultModelID = services.settings.current.defaultModelID ?? services.models.fallbackID
        turn.titleModelID = services.settings.current.titleModelID
        turn.parameters = input.parameters
        turn.onBusy = input.onBusy
        turn.wantsTitle = services.settings.current.titleEnabled
        turn.idempotencyKey = key
        let submission: TurnSubmission
        do throws(PersistenceError) {
            submission = try await services.turns.submit(turn, whenVisible: tell)
        } catch {
            throw APIError(error)
        }
        return try accept(submission)
    }

    private func isKnown(_ key: IdempotencyKey) async throws(APIError) -> Bool {
        do throws(PersistenceError) {
            return try await IdempotencyStore(database: services.database).find(key) != .new
        } catch { throw APIError(error) }
    }

    /// Whom a new turn has interrupted; before the disk has it, so that nobody waits for the disk.
    private func tell(_ submission: TurnSubmission) {
        if case .accepted(_, _, let stopped) = submission { services.notifier.tell(of: stopped) }
    }

    private func accept(
        _ submission: TurnSubmission
    ) throws(APIError) -> (turn: AcceptedTurn, opening: [LoggedEvent]?) {
        switch submission {
        case .accepted(let turn, let opening, _): return (turn, opening)
        case .repeated(let turn): return (turn, nil)
        case .idempotencyMismatch:
            throw APIError(.idempotencyMismatch, "This idempotency key was used for another request.")
        case .busy: throw APIError(.sessionBusy, "A reply is still being written in this session.")
        case .sessionNotFound: throw .notFound("This session")
        case .parentNotFound: throw .notFound("This parent message")
        }
    }

    /// The model that was asked for must be there; what is no text must be something it takes.
    private func checkModel(_ input: ChatInput, _ user: UserID) async throws(APIError) {
        guard input.modelID != nil || !input.images.isEmpty else { return }
        let model: ResolvedModel
        do throws(PersistenceError) {
            var chosen = input.modelID
            if chosen == nil {
                guard let session = try await services.sessions.find(input.sessionID, user: user) else {
                    throw PersistenceError(.notFound)
                }
                chosen = session.modelID
            }
            model = try await services.models.resolve(
                chosen, for: user, defaultID: services.settings.current.defaultModelID)
        } catch {
            guard error.code == .notFound else { throw APIError(error) }
            throw .notFound(input.modelID == nil ? "This session or its model" : "This model")
        }
        if !input.images.isEmpty, !model.fields.supportsImages {
            throw .validation("images", "cannot be read by the model \(model.fields.name)")
        }
    }

    private static func read(_ object: JSONObject, isLarge: Bool) async throws(APIError) -> ChatInput {
        isLarge ? try await readElsewhere(object) : try RequestFields.read(object) { ChatInput(&$0) }
    }

    @concurrent
    private static func readElsewhere(_ object: JSONObject) async throws(APIError) -> ChatInput {
        try RequestFields.read(object) { ChatInput(&$0) }
    }

    private static func key(
        _ key: String, _ route: String, _ user: UserID, _ bytes: [UInt8]
    ) async -> IdempotencyKey {
        if bytes.count <= largeBytes { return IdempotencyKey(userID: user, route: route, key: key, body: bytes) }
        return await hashElsewhere(key, route, user, bytes)
    }

    @concurrent
    private static func hashElsewhere(
        _ key: String, _ route: String, _ user: UserID, _ bytes: [UInt8]
    ) async -> IdempotencyKey {
        IdempotencyKey(userID: user, route: route, key: key, body: bytes)
    }
}
