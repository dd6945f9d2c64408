// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct EnvelopeTests {
    @Test(arguments: [
        ("", "malformed_json"), ("{", "malformed_json"), ("{\"a\":1,\"a\":2}", "malformed_json"),
        ("{} {}", "malformed_json"), ("{\"a\":1e999}", "malformed_json"), ("\u{FEFF}{}", "malformed_json"),
        (String(repeating: "[", count: 100), "malformed_json"), ("null", "validation_failed"),
    ])
    func `a body that is no object is refused in the contract's words`(body: String, code: String) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send("POST", "/api/sessions", body, token: person.token)
            #expect(answer.status == 400)
            #expect(answer.code == code)
            #expect(answer.json?["success"] == false)
            #expect(answer.json?["data"] == .null)
            #expect(answer.json?["requestId"]?.stringValue == answer.fields["x-request-id"])
        }
    }

    @Test(arguments: [
        nil, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application", "",
    ])
    func `only JSON in UTF-8 is taken`(type: String?) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send("POST", "/api/sessions", "{}", token: person.token, type: type)
            #expect(answer.status == 415)
            #expect(answer.code == "unsupported_media_type")
        }
    }

    @Test func `JSON may name its character set`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let type = "Application/JSON; charset=\"UTF-8\""
            let answer = try await api.send("POST", "/api/sessions", "{}", token: person.token, type: type)
            #expect(answer.status == 201)
        }
    }

    @Test func `a body over the limit is refused`() async throws {
        try await TestAPI.serve(configure: { $0.maxBodyBytes = 1000 }) { api in
            let person = try await api.person()
            let body = #"{"title":"\#(String(repeating: "a", count: 2000))"}"#
            let answer = try await api.send("POST", "/api/sessions", body, token: person.token)
            #expect(answer.status == 413)
            #expect(answer.code == "payload_too_large")
            #expect(answer.json?["success"] == false)
        }
    }

    @Test func `a large body is parsed like a small one`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let body = #"{"instructions":"\#(String(repeating: "a", count: 99_999))"}"#
            #expect(try await api.send("POST", "/api/sessions", body, token: person.token).status == 201)
        }
    }

    @Test func `unknown addresses and methods are answered in the same shape`() async throws {
        try await TestAPI.serve { api in
            let missing = try await api.send("GET", "/api/nothing")
            #expect(missing.status == 404)
            #expect(missing.code == "not_found")
            let wrong = try await api.send("PATCH", "/api/sessions")
            #expect(wrong.status == 405)
            #expect(wrong.code == "method_not_allowed")
            #expect(wrong.fields["allow"] == "GET, HEAD, POST")
            let unknown = try await api.send("BREW", "/api/sessions")
            #expect(unknown.status == 501)
            #expect(unknown.fields["access-control-allow-origin"] == "*")
            for answer in [missing, wrong, unknown] {
                #expect(answer.json?["success"] == false)
                #expect(answer.json?["requestId"]?.stringValue == answer.fields["x-request-id"])
                #expect(answer.json?["data"] == .null)
            }
        }
    }

    @Test(.migratedDatabase) func `a database that is away is 503 and says when to come back`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let name = try #require(try TestDatabase.required().configuration.databaseName)
            try await TestCluster.withConnection { administrator in
                try await administrator.runScript("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
                _ = try await administrator.query(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = \(name)")
            }
            async let sessions = api.send("GET", "/api/sessions", token: person.token)
            async let ready = api.send("GET", "/readyz")
            async let health = api.send("GET", "/api/settings/health")
            for answer in try await [sessions, ready, health] {
                #expect(answer.status == 503)
                #expect(answer.code == "unavailable")
                #expect(answer.fields["retry-after"] == "1")
                #expect(!answer.text.contains("postgres"))
            }
            let overview = try await health
            #expect(overview.data["status"] == "unhealthy")
            #expect(overview.data["database"] == "down")
            #expect(try await api.send("GET", "/healthz").status == 200)
        }
    }

    @Test(arguments: [
        (PersistenceError.Code.notFound, 404, "not_found"), (.conflict(constraint: "x"), 409, "conflict"),
        (.inUse(count: 3), 409, "conflict"), (.stale, 409, "conflict"), (.unavailable, 503, "unavailable"),
        (.cancelled, 503, "unavailable"), (.incompatible, 503, "unavailable"), (.internal, 500, "internal"),
    ])
    func `every storage error has its answer`(code: PersistenceError.Code, status: Int, word: String) {
        let error = APIError(PersistenceError(code, detail: "secret detail"))
        #expect(error.status.code == status)
        #expect(error.code.rawValue == word)
        #expect(!error.sentence.contains("secret"))
        #expect((error.retryAfter != nil) == (status == 503))
    }
}
