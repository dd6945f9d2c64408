// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Jobs
import Persistence

extension JobRoutes {
    static let submitPattern = "/api/jobs"

    /// Enqueues a job of a kind that people may enqueue. The same request under the same idempotency key is answered
    /// with the same job.
    @Sendable func submit(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (object, bytes) = try await request.objectAndBytes()
        let now = services.clock.now
        let input = try RequestFields.read(object) {
            JobInput(&$0, kinds: services.configuration.enqueueableKinds, now: now)
        }
        // What was read without an error has its kind.
        guard let row = input.row else { throw .internal(cause: "a job without a kind passed") }
        var job = NewJob(
            id: services.ids.next(), kind: row.kind, lane: row.lane, userID: user, payload: input.payload)
        job.runLimit = row.runLimit
        job.priority = Int16(clamping: input.priority)
        job.runAt = input.runAt
        let key = try ChatInput.idempotencyKey(request.head.fields).map {
            IdempotencyKey(userID: user, route: Self.submitPattern, key: $0, body: bytes)
        }
        let submission: JobSubmission
        do throws(PersistenceError) {
            submission = try await services.queue.submit(job, key: key)
        } catch {
            throw APIError(error)
        }
        switch submission {
        case .accepted(let wake):
            services.notifier.wake(wake)
            return try await show(job.id, user, status: .accepted)
        case .repeated(let earlier): return try await show(earlier, user, status: .accepted)
        case .idempotencyMismatch:
            throw APIError(.idempotencyMismatch, "This idempotency key was used for another request.")
        }
    }
}

/// The body of `POST /api/jobs`.
private struct JobInput {
    /// `nil` only beside an error.
    let row: EnqueueableKind?
    let payload: [UInt8]
    let runAt: Timestamp?
    let priority: Int

    init(_ fields: inout RequestFields, kinds: [EnqueueableKind], now: Timestamp) {
        let word = fields.optionalString("kind", JobKind.rule)
        row = kinds.first { $0.kind.rawValue == word }
        if !fields.has("kind") {
            fields.fail("kind", "is required")
        } else if word != nil, row == nil {
            let names = kinds.map(\.kind.rawValue).sorted().joined(separator: ", ")
            fields.fail("kind", names.isEmpty ? "is none that can be enqueued by itself" : "must be one of \(names)")
        }
        // Where the kind is wrong the rest is held against the widest limits.
        let limits = row ?? EnqueueableKind(JobKind(rawValue: ""), lane: .embedding, priorities: -100...100)
        payload = fields.optionalObject("payload").map { JSONWriter.encode(.object($0)) } ?? []
        if !fields.has("payload") { fields.fail("payload", "is required") }
        if payload.count > limits.maximumPayloadBytes {
            fields.fail("payload", "must have at most \(limits.maximumPayloadBytes) bytes")
        }
        let latest = now.advanced(by: limits.longestDelay)
        let time = fields.optional("runAt", "must be a time with an offset, such as 2026-01-31T12:00:00Z") { value in
            value.stringValue.flatMap { Timestamp($0) }
        }
        if let time, time > latest { fields.fail("runAt", "must not be later than \(latest)") }
        runAt = time
        priority = fields.optionalInteger("priority", in: limits.priorities) ?? 0
    }
}
