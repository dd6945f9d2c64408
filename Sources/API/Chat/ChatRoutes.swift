// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import JSON
import Jobs
import Persistence

extension APIServices {
    /// `/api/chat…`.
    func addChatRoutes(to routes: inout APIRoutes) {
        let chat = ChatRoutes(services: self)
        // A disconnect must not leave a turn half made; the reply is written either way.
        routes.on(
            .post, ChatRoutes.streamPattern, maxBodyBytes: ChatTurns.maxBodyBytes, cancelsOnDisconnect: false,
            chat.stream)
        routes.on(.get, "/api/chat/stream/:messageId", chat.attach)
        routes.on(
            .post, ChatRoutes.completionPattern, maxBodyBytes: ChatTurns.maxBodyBytes, cancelsOnDisconnect: false,
            chat.complete)
        routes.on(.post, "/api/chat/stop", cancelsOnDisconnect: false, chat.stop)
        routes.on(.get, "/api/chat/usage", chat.usage)
    }
}

/// Turns and their replies.
struct ChatRoutes: Sendable {
    static let streamPattern = "/api/chat/stream"
    static let completionPattern = "/api/chat/completion"

    let services: APIServices

    /// Stores the turn and answers with the stream of its reply, from the first event on. The same request again is
    /// answered with the same stream.
    @Sendable func stream(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let (turn, opening) = try await ChatTurns(services: services).submit(request, route: Self.streamPattern)
        let attachment = StreamAttachment(services: services)
        if let opening {
            return attachment.response(
                job: turn.jobID, message: turn.messageID, after: .beginning, known: opening, session: turn.sessionID)
        }
        return try await attachment.attach(
            turn.jobID, try request.userID, after: nil, messageID: turn.messageID, session: turn.sessionID)
    }

    @Sendable func attach(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let id: MessageID = try request.pathID("messageId")
        let message: PlacedMessage?
        do throws(PersistenceError) {
            message = try await services.messages.find(id, user: user)
        } catch {
            throw APIError(error)
        }
        // A message of the person's own has no stream.
        guard let job = message?.message.jobID else { throw .notFound("This reply") }
        return try await StreamAttachment(services: services).attach(job, request, message: message?.message)
    }

    /// Ends one reply, or all of a session: what waits and what is being written.
    @Sendable func stop(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let target = try await request.fields { StopTarget(&$0) }
        let stopped: StoppedTurns?
        do {
            stopped =
                switch target {
                case .job(let job): try await services.turns.stop(job, owner: user)
                case .message(let id): try await stop(id, user)
                case .session(let id):
                    try await services.sessions.find(id, user: user) == nil
                        ? nil : try await services.turns.stop(id, owner: user)
                }
        } catch {
            throw APIError(error)
        }
        guard let stopped else { throw .notFound() }
        services.notifier.tell(of: stopped)
        return .object { $0.member("stopped", stopped.count) }
    }

    /// nil when there is no such message; 0 for one that no job writes.
    private func stop(_ id: MessageID, _ user: UserID) async throws -> StoppedTurns? {
        guard let message = try await services.messages.find(id, user: user)?.message else { return nil }
        guard let job = message.jobID else { return StoppedTurns() }
        // Its record may be gone already; then it has ended long ago.
        return try await services.turns.stop(job, owner: user) ?? StoppedTurns()
    }
}

/// What is to be stopped: exactly one of three.
private enum StopTarget {
    case job(JobID)
    case message(MessageID)
    case session(SessionID)

    init(_ fields: inout RequestFields) {
        let (job, message, session): (JobID?, MessageID?, SessionID?) = (
            fields.optionalID("jobId"), fields.optionalID("messageId"), fields.optionalID("sessionId")
        )
        let names = ["messageId", "sessionId", "jobId"].filter { fields.has($0) }
        if names.count != 1 { fields.fail("messageId", "or sessionId or jobId is required, and only one of them") }
        self =
            if let message { .message(message) } else if let session { .session(session) } else {
                .job(job ?? JobID(high: 0, low: 0))
            }
    }
}

extension WakeNotifier {
    /// After the commit of a stop: lanes that have new work, runs to abort, events for those who watch.
    func tell(of stopped: StoppedTurns) {
        wake(stopped.wake)
        for lease in stopped.running { cancel(lease) }
        announce(stopped.events)
    }
}
