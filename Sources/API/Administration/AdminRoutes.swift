// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import JSON
import Jobs
import Observability
import Persistence

extension APIServices {
    /// `/api/admin/…`, for ADMIN alone.
    func addAdminRoutes(to routes: inout APIRoutes) {
        let admin = AdminRoutes(services: self)
        // None is cancelled with its client: others may wait for the same answer, and a pause must not stop half-way.
        routes.on(.get, "/api/admin/queue", access: .admin, cancelsOnDisconnect: false, admin.queue)
        routes.on(.get, "/api/admin/workers", access: .admin, cancelsOnDisconnect: false, admin.workers)
        routes.on(
            .post, "/api/admin/queue/:kind/pause", access: .admin, cancelsOnDisconnect: false, admin.pause)
        routes.on(
            .post, "/api/admin/queue/:kind/resume", access: .admin, cancelsOnDisconnect: false, admin.resume)
        routes.on(.post, "/api/admin/jobs/:id/retry", access: .admin, cancelsOnDisconnect: false, admin.retry)
    }
}

/// What those who run the system see and do.
struct AdminRoutes: Sendable {
    /// More kinds than anybody has; each claim reads the list.
    private static let maximumPausedKinds = 100

    let services: APIServices

    @Sendable func queue(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let overview = try await APIError.mapping { try await services.overviews.queue() }
        return .object { overview.writeFields(to: &$0) }
    }

    @Sendable func workers(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let workers = try await APIError.mapping { try await services.overviews.workers() }
        return .page(workers, nextCursor: nil) { worker, writer in worker.write(to: &writer) }
    }

    /// Any well-formed kind can be paused, also one that only workers of another version know.
    @Sendable func pause(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let kind = try Self.kind(of: request)
        let paused = try await APIError.mapping { try await services.overviews.queue() }.pausedKinds
        if paused[kind] == nil, paused.count >= Self.maximumPausedKinds {
            throw APIError(.conflict, "\(Self.maximumPausedKinds) kinds of job are paused already.")
        }
        try await APIError.mapping { try await services.queue.pause(kind) }
        return changed(kind, isPaused: true)
    }

    @Sendable func resume(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let kind = try Self.kind(of: request)
        let lanes = try await APIError.mapping { try await services.queue.resume(kind) }
        services.notifier.wake(lanes)
        return changed(kind, isPaused: false)
    }

    /// Anybody's job. Nothing of it is shown: it is its owner's.
    @Sendable func retry(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let id: JobID = try request.pathID()
        let outcome = try await APIError.mapping { try await services.queue.retry(id, owner: nil) }
        switch outcome {
        case .linedUp(let lanes, let events):
            services.notifier.wake(lanes)
            services.notifier.announce(events)
            services.overviews.forget()
            services.logger.info("a job is tried again by hand", [.jobID: .string(id.description)])
        case .alreadyUnfinished: throw APIError(.conflict, "This job has not ended.")
        case .completed: throw APIError(.conflict, "This job was completed.")
        case .replaced(let other): throw APIError(.conflict, "The unfinished job \(other) stands for this one.")
        case .notFound: throw .notFound("This job")
        }
        return .object { writer in
            writer.member("id", id.description)
            writer.member("retried", true)
        }
    }

    private func changed(_ kind: JobKind, isPaused: Bool) -> APIResponse {
        services.overviews.forget()
        services.logger.info(
            isPaused ? "a kind of job was paused" : "a kind of job was resumed", [.jobKind: .string(kind.rawValue)])
        return .object { writer in
            writer.member("kind", kind.rawValue)
            writer.member("paused", isPaused)
        }
    }

    private static func kind(of request: APIRequest) throws(APIError) -> JobKind {
        let word = request.server.parameters["kind"] ?? ""
        if let problem = JobKind.rule.problem(with: word) { throw .validation("kind", problem) }
        return JobKind(rawValue: word)
    }
}

extension JobKind {
    /// What the name of a kind is like.
    static let rule = TextRule(length: 1...64) { word in
        let isWord = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return isWord ? nil : "must consist of a-z, 0-9, _, - and ."
    }
}
