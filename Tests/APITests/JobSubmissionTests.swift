// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct JobSubmissionTests {
    private static let path = "/api/jobs"

    /// With a kind that may be enqueued; the product has none yet.
    private func serve(_ body: (TestAPI) async throws -> Void) async throws {
        try await TestAPI.serve(
            configure: {
                $0.enqueueableKinds = [
                    EnqueueableKind(
                        .noop, lane: .embedding, priorities: -10...5, longestDelay: .seconds(3600),
                        maximumPayloadBytes: 100)
                ]
            }, body)
    }

    @Test(arguments: ["chat", "title", "noop", "summary", "no such kind", "NOOP"])
    func `no kind of today may be enqueued by itself`(kind: String) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send(
                "POST", Self.path, #"{"kind":"\#(kind)","payload":{}}"#, token: person.token)
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
            #expect(answer.wrongFields == ["kind"])
            let jobs = try await api.services.database.pool.query(
                "SELECT count(*) FROM jobs WHERE user_id = \(person.id)"
            ).decodeFirst(Int.self)
            #expect(jobs == 0)
        }
    }

    static let refused: [(body: String, fields: [String])] = [
        ("{}", ["kind", "payload"]),
        (#"{"kind":null,"payload":null}"#, ["kind", "payload"]),
        (#"{"kind":7,"payload":[],"runAt":"tomorrow","priority":"high"}"#, ["kind", "payload", "runAt", "priority"]),
        (#"{"kind":"","payload":{}}"#, ["kind"]),
        (#"{"kind":"chat","payload":{},"priority":101}"#, ["kind", "priority"]),
        (#"{"kind":"noop","payload":{},"priority":6}"#, ["priority"]),
        (#"{"kind":"noop","payload":{},"priority":1.5}"#, ["priority"]),
        (#"{"kind":"noop","payload":{},"runAt":"2026-01-31T12:00:00"}"#, ["runAt"]),
        (#"{"kind":"noop","payload":{},"runAt":"9999-01-31T12:00:00Z"}"#, ["runAt"]),
        (#"{"kind":"noop","payload":{"a":"\#(String(repeating: "x", count: 100))"}}"#, ["payload"]),
    ]

    @Test(arguments: refused.indices)
    func `everything that is wrong with a body is said at once`(row: Int) async throws {
        try await serve { api in
            let person = try await api.person()
            let answer = try await api.send("POST", Self.path, Self.refused[row].body, token: person.token)
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
            #expect(answer.wrongFields == Self.refused[row].fields)
        }
    }

    @Test func `nobody enqueues without a name, and a body must be an object`() async throws {
        try await serve { api in
            let person = try await api.person()
            #expect(try await api.send("POST", Self.path, "{}").status == 401)
            #expect(try await api.send("POST", Self.path, "[]", token: person.token).code == "validation_failed")
            #expect(try await api.send("POST", Self.path, "{", token: person.token).code == "malformed_json")
            #expect(try await api.send("POST", Self.path, "{}", token: person.token, type: "text/plain").status == 415)
        }
    }

    @Test func `a job that may be enqueued is its owner's and waits in its lane`() async throws {
        try await serve { api in
            let person = try await api.person()
            let body = #"{"kind":"noop","payload":{"a":[1,"é"]},"priority":-3}"#
            let answer = try await api.send("POST", Self.path, body, token: person.token)
            #expect(answer.status == 202)
            #expect(answer.data["kind"] == "noop")
            #expect(answer.data["lane"] == "embedding")
            #expect(answer.data["state"] == "ready")
            #expect(answer.data["priority"] == -3)
            #expect(answer.data["tenant"]?.stringValue == person.id.description)
            let id = try #require(JobID(answer.id))
            let payload = try await api.services.database.pool.query("SELECT payload FROM jobs WHERE id = \(id)")
                .decodeFirst(String.self)
            #expect(payload == #"{"a":[1,"é"]}"#)
            #expect(try await api.send("GET", "\(Self.path)/\(id)", token: person.token).status == 200)
            let other = try await api.person()
            #expect(try await api.send("GET", "\(Self.path)/\(id)", token: other.token).status == 404)
        }
    }

    @Test(arguments: [(3000, "scheduled"), (-3000, "ready")])
    func `a job runs not before its time`(seconds: Int, state: String) async throws {
        try await serve { api in
            let person = try await api.person()
            let time = api.services.clock.now.advanced(by: .seconds(seconds))
            let answer = try await api.send(
                "POST", Self.path, #"{"kind":"noop","payload":{},"runAt":"\#(time)"}"#, token: person.token)
            #expect(answer.status == 202)
            #expect(answer.data["state"]?.stringValue == state)
            #expect(answer.data["runAt"]?.stringValue == time.description)
        }
    }

    @Test func `an idempotency key makes one job of many requests and refuses another body`() async throws {
        try await serve { api in
            let (person, other) = (try await api.person(), try await api.person())
            let body = #"{"kind":"noop","payload":{}}"#
            @Sendable func send(_ body: String, _ person: Person, key: String = "k1") async throws -> APIAnswer {
                try await api.send("POST", Self.path, body, token: person.token, fields: ["Idempotency-Key": key])
            }
            let answers = try await withThrowingTaskGroup(of: APIAnswer.self) { group in
                for _ in 0..<8 { group.addTask { try await send(body, person) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 202 })
            #expect(Set(answers.map(\.id)).count == 1)
            let changed = try await send(body + " ", person)
            #expect(changed.status == 422)
            #expect(changed.code == "idempotency_mismatch")
            #expect(try await send(body, other).id != answers[0].id)
            #expect(try await send(body, person, key: "k2").id != answers[0].id)
            #expect(try await send(body, person, key: "").wrongFields == ["Idempotency-Key"])
        }
    }
}
