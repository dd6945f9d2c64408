// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Jobs
import Persistence

extension APIServices {
    /// `/api/jobs/…`.
    func addJobRoutes(to routes: inout APIRoutes) {
        let jobs = JobRoutes(services: self)
        routes.on(.get, "/api/jobs", jobs.list)
        routes.on(.post, JobRoutes.submitPattern, cancelsOnDisconnect: false, jobs.submit)
        routes.on(.get, "/api/jobs/:id", jobs.show)
        routes.on(.get, "/api/jobs/:id/events", jobs.events)
        // Workers and readers are told after the commit.
        routes.on(.post, "/api/jobs/:id/cancel", cancelsOnDisconnect: false, jobs.cancel)
    }
}

/// Jobs of the person who asks.
struct JobRoutes: Sendable {
    let services: APIServices

    /// Newest first; of one kind, in one state.
    @Sendable func list(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (kind, state, cursor, limit): (JobKind?, JobState?, JobID?, Int) = try request.query { query in
            let kind = query.value("kind", "must be a word of at most 64 characters") { text in
                text.utf8.count <= 64 && !text.utf8.contains(0) ? JobKind(rawValue: text) : nil
            }
            let names = JobState.allCases.map(\.name).joined(separator: ", ")
            let state = query.value("state", "must be one of \(names)") { name in
                JobState.allCases.first { $0.name == name }
            }
            return (kind, state, query.cursor(), query.limit())
        }
        do throws(JobQueueError) {
            let page = try await services.queue.list(
                of: user, kind: kind, state: state, before: cursor, limit: limit)
            return .page(page.items, nextCursor: page.nextCursor?.description) { record, writer in
                writer.object { record.writeFields(to: &$0) }
            }
        } catch {
            throw APIError(error)
        }
    }

    @Sendable func show(_ request: APIRequest) async throws(APIError) -> APIResponse {
        try await show(try request.pathID(), try request.userID)
    }

    @Sendable func events(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let job: JobID = try request.pathID()
        let message: StoredMessage?
        do throws(PersistenceError) {
            message = try await services.messages.find(job: job, user: user)
        } catch {
            throw APIError(error)
        }
        return try await StreamAttachment(services: services).attach(job, request, message: message)
    }

    /// Ends the job, or tells its run to end; one that has ended stays as it is.
    @Sendable func cancel(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let id: JobID = try request.pathID()
        let stopped: StoppedTurns?
        do throws(JobQueueError) {
            stopped = try await services.turns.stop(id, owner: user)
        } catch {
            throw APIError(error)
        }
        guard let stopped else { throw .notFound("This job") }
        services.notifier.tell(of: stopped)
        return try await show(id, user)
    }

    func show(_ id: JobID, _ user: UserID, status: HTTPStatus = .ok) async throws(APIError) -> APIResponse {
        let record: JobRecord?
        do throws(JobQueueError) {
            record = try await services.queue.record(id, owner: user)
        } catch {
            throw APIError(error)
        }
        guard let record else { throw .notFound("This job") }
        return .object(status) { record.writeFields(to: &$0) }
    }
}

extension JobRecord {
    /// Writes the contract's `J`.
    fileprivate func writeFields(to writer: inout JSONWriter) {
        writer.member("id", id.description)
        writer.member("kind", kind.rawValue)
        writer.member("lane", lane.name)
        writer.member("state", state.name)
        writer.member("attempt", attempt)
        writer.member("maxAttempts", maximumAttempts)
        writer.member("priority", priority)
        writer.member("tenant", userID.description)
        writer.member("createdAt", createdAt.description)
        writer.member("runAt", runAt.description)
        if let startedAt { writer.member("startedAt", startedAt.description) }
        if let finishedAt { writer.member("finishedAt", finishedAt.description) }
        if let errorCode {
            writer.objectMember("error") { writer in
                writer.member("code", errorCode)
                writer.member("message", errorMessage ?? "")
                if let finishedAt { writer.member("at", finishedAt.description) }
            }
        }
        if let result {
            writer.key("result")
            writer.verbatim(result)
        }
    }
}
