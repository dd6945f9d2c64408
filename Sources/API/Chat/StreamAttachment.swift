// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import Jobs
import Persistence

/// Attaches a client to a job's stream: from the log while it is kept, from the stored message afterwards.
struct StreamAttachment: Sendable {
    let services: APIServices

    /// Goes on after the request's cursor. `not_found` for a job that is not the person's; `validation_failed` for a
    /// malformed cursor and for a lease the job cannot have had yet.
    func attach(
        _ job: JobID, _ request: APIRequest, message: StoredMessage? = nil
    ) async throws(APIError) -> APIResponse {
        try await attach(
            job, try request.userID, after: try Self.cursor(of: request), messageID: message?.id, message: message)
    }

    /// As above; without a cursor from the first event on. The message is looked up when it is needed.
    func attach(
        _ job: JobID, _ user: UserID, after cursor: StreamCursor?, messageID: MessageID?,
        message: StoredMessage? = nil, session: SessionID? = nil
    ) async throws(APIError) -> APIResponse {
        do {
            guard let record = try await services.queue.record(job, owner: user) else { throw APIError.notFound() }
            if let cursor, cursor.lease > record.lease { throw Self.unknownLease }
            guard record.state.isEnd, let lost = try await lostPart(of: record, before: cursor) else {
                let session = message?.sessionID ?? session
                return response(
                    job: job, message: messageID, after: cursor ?? .beginning, session: session, state: record.state)
            }
            var reply = message
            if reply == nil { reply = try await services.messages.find(job: job, user: user) }
            guard let reply, cursor != StoredReply.lastCursor(of: record) else {
                return response(job: job, message: messageID, after: lost)
            }
            let frames = StoredReply(message: reply, record: record).frames(isContinued: cursor != nil)
            return response(job: job, message: reply.id) { writer in
                writer.send(frames)
                writer.finish()
            }
        } catch {
            throw APIError(error)
        }
    }

    /// The stream after a cursor; see ``StreamHub/subscribe(_:after:known:to:transform:session:state:)``.
    func response(
        job: JobID, message: MessageID?, after cursor: StreamCursor, known: [LoggedEvent] = [],
        session: SessionID? = nil, state: JobState? = nil
    ) -> APIResponse {
        let hub = services.hub
        return response(job: job, message: message) {
            hub.subscribe(job, after: cursor, known: known, to: $0, session: session, state: state)
        }
    }

    private func response(
        job: JobID, message: MessageID?, _ onOpen: @escaping @Sendable (EventStreamWriter) -> Void
    ) -> APIResponse {
        var fields: HTTPFields = ["X-Job-Id": HTTPFieldValue(replacingControls: job.description)]
        if let message { fields.set("X-Message-Id", HTTPFieldValue(replacingControls: message.description)) }
        let heartbeat = services.settings.current.sseHeartbeatInterval
        return APIResponse(.eventStream(fields: fields, heartbeat: heartbeat, onOpen: onOpen))
    }

    /// Where the reader of an ended job would go on, when retention has taken events that it does not have; nil when
    /// all is there. A whole log begins with 0.1, and retention takes the oldest first.
    private func lostPart(
        of record: JobRecord, before cursor: StreamCursor?
    ) async throws(PersistenceError) -> StreamCursor? {
        let place = cursor ?? .beginning
        guard let first = try await services.hub.log.firstCursor(of: record.id) else { return place }
        return first <= StreamCursor.beginning.next || first <= place ? nil : place
    }

    /// Only a lease above the job's was never its own. Of an earlier one the log may hold nothing although its events
    /// were read: a database that crashes takes them back, and their worker may be gone as well.
    private static let unknownLease = APIError.validation("after", "is a cursor that this stream never had")

    /// `Last-Event-ID` is newer than `after`, which stays in the address when a browser reconnects.
    private static func cursor(of request: APIRequest) throws(APIError) -> StreamCursor? {
        if let header = request.head.fields[.lastEventID], !header.isEmpty {
            guard let cursor = StreamCursor(header) else {
                throw .validation("Last-Event-ID", "must be a cursor such as 0.1")
            }
            return cursor
        }
        return try request.query { $0.value("after", "must be a cursor such as 0.1") { StreamCursor($0) } }
    }
}
