// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import JSON
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct AccessTests {
    /// How a token is made that must not work, and the word that answers it.
    enum BadToken: String, CaseIterable, Sendable {
        case expired, unsigned, otherKey, withoutExpiry, refreshAsAccess, withoutType, strangeRole, noUser, changed,
            notYet
        case garbage, empty, apiKey

        var code: String { self == .expired ? "token_expired" : "unauthenticated" }

        func text(for user: UserID, now: Int64) throws -> String {
            let key = try TestAPI.signingKey.get()
            func sign(_ claims: String, _ key: SigningKey) -> String {
                JSONWebToken.sign(payload: Array(claims.utf8), with: key)
            }
            let good = #"{"sub":"\#(user)","iat":\#(now),"exp":\#(now + 900),"role":"USER","typ":"access"}"#
            switch self {
            case .expired:
                return sign(
                    #"{"sub":"\#(user)","iat":\#(now - 901),"exp":\#(now - 60),"role":"USER","typ":"access"}"#, key)
            case .unsigned:
                let header = Base64URL.encode(Array(#"{"alg":"none","typ":"JWT"}"#.utf8))
                return "\(header).\(Base64URL.encode(Array(good.utf8)))."
            case .otherKey: return sign(good, try SigningKey(text: String(repeating: "o", count: 40)))
            case .withoutExpiry: return sign(#"{"sub":"\#(user)","iat":\#(now),"role":"USER","typ":"access"}"#, key)
            case .refreshAsAccess:
                return sign(
                    #"{"sub":"\#(user)","iat":\#(now),"exp":\#(now + 900),"role":"USER","typ":"refresh"}"#, key)
            case .withoutType:
                return sign(#"{"sub":"\#(user)","iat":\#(now),"exp":\#(now + 900),"role":"USER"}"#, key)
            case .strangeRole:
                return sign(#"{"sub":"\#(user)","iat":\#(now),"exp":\#(now + 900),"role":"ROOT","typ":"access"}"#, key)
            case .noUser:
                return sign(#"{"sub":"admin","iat":\#(now),"exp":\#(now + 900),"role":"USER","typ":"access"}"#, key)
            case .changed:
                var parts = sign(good, key).split(separator: ".").map(String.init)
                let other = #"{"sub":"\#(user)","iat":\#(now),"exp":\#(now + 999),"role":"ADMIN","typ":"access"}"#
                parts[1] = Base64URL.encode(Array(other.utf8))
                return parts.joined(separator: ".")
            case .notYet:
                return sign(
                    #"{"sub":"\#(user)","iat":\#(now + 600),"exp":\#(now + 900),"role":"USER","typ":"access"}"#, key)
            case .garbage: return "a.b.c"
            case .empty: return ""
            case .apiKey: return OpaqueToken.generate(.apiKey).text
            }
        }
    }

    @Test(arguments: BadToken.allCases, [false, true])
    func `a bad token opens nothing, also where none is needed`(bad: BadToken, single: Bool) async throws {
        let one: UserID = Identifier(high: 1, low: 1)
        try await TestAPI.serve(mode: single ? .single(one) : .multiple) { api in
            let person = try await api.person()
            let now = api.services.clock.now.millisecondsSince1970 / 1000
            let answer = try await api.send("GET", "/api/sessions", token: try bad.text(for: person.id, now: now))
            #expect(answer.status == 401)
            #expect(answer.code == bad.code)
            #expect(answer.json?["data"] == .null)
            #expect(answer.fields["www-authenticate"]?.hasPrefix("Bearer") == true)
        }
    }

    @Test(arguments: [
        ("GET", "/api/auth/me"), ("PUT", "/api/auth/password"), ("GET", "/api/models"), ("POST", "/api/models"),
        ("PUT", "/api/models/x"), ("DELETE", "/api/models/x"), ("POST", "/api/models/system"),
        ("DELETE", "/api/models/system/x"), ("GET", "/api/sessions"), ("POST", "/api/sessions"),
        ("GET", "/api/sessions/x"), ("PUT", "/api/sessions/x"), ("DELETE", "/api/sessions/x"),
        ("GET", "/api/sessions/x/messages"), ("GET", "/api/settings/system"), ("PUT", "/api/settings/system"),
        ("POST", "/api/jobs"), ("GET", "/api/jobs/x"), ("POST", "/api/jobs/x/cancel"),
    ])
    func `nothing of a person opens without a token`(method: String, path: String) async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send(method, path, method == "GET" ? nil : "{}")
            #expect(answer.status == 401)
            #expect(answer.code == "unauthenticated")
        }
    }

    @Test(arguments: [
        ("POST", "/api/models/system"), ("PUT", "/api/models/system/x"), ("DELETE", "/api/models/system/x"),
        ("GET", "/api/settings/system"), ("PUT", "/api/settings/system"),
    ])
    func `what is for admins is closed to others before anything is looked at`(
        method: String, path: String
    ) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send(method, path, method == "GET" ? nil : "{}", token: person.token)
            #expect(answer.status == 403)
            #expect(answer.code == "forbidden")
        }
    }

    @Test func `an admin who lost the role is no admin any more, whatever the token says`() async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            #expect(try await api.send("GET", "/api/settings/system", token: admin.token).status == 200)
            try await api.services.database.pool.execute("UPDATE users SET role = 'USER' WHERE id = \(admin.id)")
            #expect(try await api.send("GET", "/api/settings/system", token: admin.token).status == 403)
        }
    }

    @Test func `in single-user mode a request without a token acts as the one user`() async throws {
        let database = try TestDatabase.required().database
        let id = try await UserStore(database: database).ensureSingleUser(newID: Identifier(high: 7, low: 7))
        try await TestAPI.serve(mode: .single(id)) { api in
            let me = try await api.send("GET", "/api/auth/me")
            #expect(me.status == 200)
            #expect(me.id == id.description)
            #expect(try await api.send("GET", "/api/settings/system").status == 200)
            let other = try await api.person()
            #expect(try await api.send("GET", "/api/auth/me", token: other.token).id == other.id.description)
        }
    }

    @Test func `two authorization fields are no authorization`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send(
                "GET", "/api/sessions", token: person.token, fields: ["authorization": "Bearer \(person.token)"])
            #expect(answer.status == 401)
        }
    }

    @Test func `log lines of a request say whose it is and never hold the token`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let path = "/api/sessions/\(person.id)"
            let answer = try await api.send("GET", path, token: person.token, fields: ["X-Request-Id": "my-request-1"])
            #expect(answer.status == 404)
            #expect(answer.fields["x-request-id"] == "my-request-1")
            #expect(answer.json?["requestId"] == "my-request-1")
            let line = try #require(api.log.lines.first { $0.contains("my-request-1") })
            #expect(line.contains(person.id.description))
            #expect(line.contains("/api/sessions/:id"))
            #expect(!api.log.lines.contains { $0.contains(person.token) })
        }
    }
}
