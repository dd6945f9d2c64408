// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct AdminTests {
    static let routes = [
        ("GET", "/api/admin/queue"), ("GET", "/api/admin/workers"), ("POST", "/api/admin/queue/noop/pause"),
        ("POST", "/api/admin/queue/noop/resume"),
    ]
    /// Their admins get another answer than 200.
    static let others = [
        ("POST", "/api/admin/jobs/\(JobID(high: 1, low: 1))/retry"), ("POST", "/api/admin/jobs/x/retry"),
    ]

    private func enqueue(_ count: Int, _ kind: JobKind, _ lane: Lane, _ api: TestAPI) async throws {
        _ = try await api.services.queue.enqueue(
            (0..<count).map { _ in
                NewJob(
                    id: api.services.ids.next(), kind: kind, lane: lane, userID: api.services.ids.next(),
                    payload: Array("{}".utf8))
            })
    }

    @Test(arguments: routes + others)
    func `people who are no admins get nothing, whatever they ask`(method: String, path: String) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let refused = try await api.send(method, path, token: person.token)
            #expect(refused.status == 403)
            #expect(refused.code == "forbidden")
            let stranger = try await api.send(method, path)
            #expect(stranger.status == 401)
            #expect(stranger.code == "unauthenticated")
        }
    }

    @Test(.migratedDatabase, arguments: routes)
    func `in single-user mode the one user is the admin`(method: String, path: String) async throws {
        let database = try TestDatabase.required().database
        let id = try await UserStore(database: database).ensureSingleUser(newID: Identifier(high: 7, low: 7))
        try await TestAPI.serve(mode: .single(id)) { api in
            #expect(try await api.send(method, path).status == 200)
            let other = try await api.person()
            #expect(try await api.send(method, path, token: other.token).status == 403)
        }
    }

    @Test(.migratedDatabase) func `the queue is shown by lane and by kind`() async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            try await enqueue(2, .chat, .chat, api)
            try await enqueue(3, .noop, .embedding, api)
            let queue = try await api.send("GET", "/api/admin/queue", token: admin.token)
            #expect(queue.status == 200)
            let lanes = queue.data["lanes"]?.arrayValue ?? []
            #expect(lanes.map { $0["lane"]?.stringValue } == ["chat", "title", "summary", "embedding"])
            #expect(lanes.map { $0["ready"] } == [2, 0, 0, 3])
            #expect(lanes.map { $0["depth"] } == [2, 0, 0, 3])
            #expect(lanes.allSatisfy { $0["running"] == 0 && $0["waiting"] == 0 && $0["deferred"] == [:] })
            #expect(lanes[0]["oldestMs"]?.integerValue != nil)
            #expect(lanes[1]["oldestMs"] == .null)
            #expect(lanes[0]["completedPerMinute"]?.doubleValue == 0)
            let kinds = queue.data["kinds"]?.arrayValue ?? []
            #expect(kinds.map { $0["kind"] } == ["chat", "noop"])
            #expect(kinds.map { $0["ready"] } == [2, 3])
            #expect(kinds.map { $0["paused"] } == [false, false])
            #expect(queue.data["paused"] == [])
            #expect(queue.data["countedUpTo"]?["perLane"] == 100_000)
        }
    }

    @Test(.migratedDatabase) func `a paused kind is shown at once and goes on when it is resumed`() async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            try await enqueue(3, .noop, .embedding, api)
            func noop() async throws -> JSONValue {
                let queue = try await api.send("GET", "/api/admin/queue", token: admin.token)
                return queue.data["kinds"]?.arrayValue?.first { $0["kind"] == "noop" } ?? .null
            }
            #expect(try await noop()["ready"] == 3)
            for _ in 0..<2 {
                let paused = try await api.send("POST", "/api/admin/queue/noop/pause", token: admin.token)
                #expect(paused.status == 200)
                #expect(paused.data == ["kind": "noop", "paused": true])
            }
            #expect(try await noop()["paused"] == true)
            #expect(try await noop()["ready"] == 0)
            #expect(try await noop()["deferred"] == ["paused": 3])
            let listed = try await api.send("GET", "/api/admin/queue", token: admin.token).data["paused"]
            #expect(listed?.arrayValue?.first?["kind"] == "noop")
            #expect(listed?.arrayValue?.first?["since"]?.stringValue.flatMap { Timestamp($0) } != nil)
            let resumed = try await api.send("POST", "/api/admin/queue/noop/resume", token: admin.token)
            #expect(resumed.data == ["kind": "noop", "paused": false])
            #expect(try await noop()["ready"] == 3)
            #expect(try await noop()["deferred"] == [:])
            #expect(try await noop()["paused"] == false)
            #expect(api.log.lines.contains { $0.contains("a kind of job was paused") && $0.contains("noop") })
        }
    }

    @Test(arguments: ["No-op", "a%20b", "%C3%A9", String(repeating: "k", count: 65)])
    func `a kind that cannot be one is refused`(kind: String) async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            for verb in ["pause", "resume"] {
                let answer = try await api.send("POST", "/api/admin/queue/\(kind)/\(verb)", token: admin.token)
                #expect(answer.status == 400)
                #expect(answer.code == "validation_failed")
                #expect(answer.wrongFields == ["kind"])
            }
        }
    }

    /// How a job ended, and what a retry says to it.
    static let retries: [(end: RunEnd?, status: Int, state: String)] = [
        (.failed(JobFailure(.fatal, .internalError, "words")), 200, "ready"), (.cancelled, 200, "ready"),
        (.completed(result: nil), 409, "completed"), (nil, 409, "running"),
    ]

    @Test(.migratedDatabase, arguments: retries.indices)
    func `a job that failed or was cancelled is tried again by hand, once`(row: Int) async throws {
        let (end, status, state) = Self.retries[row]
        try await TestAPI.serve { api in
            let (admin, owner) = (try await api.person(.admin), try await api.person())
            let job = NewJob(
                id: api.services.ids.next(), kind: .noop, lane: .embedding, userID: owner.id,
                payload: Array("{}".utf8))
            _ = try await api.services.queue.enqueue([job])
            let claimed = try await api.services.queue.claim(
                ClaimLimit(total: 1, background: 1), worker: api.services.ids.next())
            if let end { _ = try await api.services.queue.settle(try #require(claimed.first), end, events: []) }
            let path = "/api/admin/jobs/\(job.id)/retry"
            #expect(try await api.send("POST", path, token: owner.token).status == 403)
            let answer = try await api.send("POST", path, token: admin.token)
            #expect(answer.status == status)
            #expect(answer.code == (status == 409 ? "conflict" : nil))
            if status == 200 {
                #expect(answer.id == job.id.description)
                #expect(answer.data["retried"] == true)
                let again = try await api.send("POST", path, token: admin.token)
                #expect(again.status == 409)
            }
            let shown = try await api.send("GET", "/api/jobs/\(job.id)", token: owner.token)
            #expect(shown.data["state"]?.stringValue == state)
        }
    }

    @Test(arguments: others)
    func `a job that does not exist is not tried again`(method: String, path: String) async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            let answer = try await api.send(method, path, token: admin.token)
            #expect(answer.status == 404)
            #expect(answer.code == "not_found")
        }
    }

    @Test(.migratedDatabase) func `the list of paused kinds does not grow for ever`() async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            try await api.services.database.pool.execute(
                "INSERT INTO paused_kinds (kind) SELECT 'k' || n FROM generate_series(1, 100) n")
            let refused = try await api.send("POST", "/api/admin/queue/noop/pause", token: admin.token)
            #expect(refused.status == 409)
            #expect(refused.code == "conflict")
            #expect(try await api.send("POST", "/api/admin/queue/k7/pause", token: admin.token).status == 200)
            #expect(try await api.send("POST", "/api/admin/queue/k7/resume", token: admin.token).status == 200)
            #expect(try await api.send("POST", "/api/admin/queue/noop/pause", token: admin.token).status == 200)
        }
    }

    @Test(.migratedDatabase) func `workers are shown with what they hold`() async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            let worker: WorkerID = api.services.ids.next()
            try await api.services.database.pool.execute(
                "INSERT INTO workers (id, beat, draining, slots, version) VALUES (\(worker), 3, true, 16, '9.9')")
            try await enqueue(2, .noop, .embedding, api)
            _ = try await api.services.queue.claim(ClaimLimit(total: 4, background: 4), worker: worker)
            let answer = try await api.send("GET", "/api/admin/workers", token: admin.token)
            #expect(answer.status == 200)
            #expect(answer.data["nextCursor"] == .null)
            let items = answer.data["items"]?.arrayValue ?? []
            #expect(items.count == 1)
            let shown = try #require(items.first)
            #expect(shown["id"]?.stringValue == worker.description)
            #expect(shown["version"] == "9.9")
            #expect(shown["slots"] == 16)
            #expect(shown["running"] == 2)
            #expect(shown["draining"] == true)
            for name in ["startedAt", "lastBeatAt"] {
                #expect(shown[name]?.stringValue.flatMap { Timestamp($0) } != nil)
            }
            #expect((shown["sinceBeatMs"]?.integerValue ?? -1) >= 0)
        }
    }
}
