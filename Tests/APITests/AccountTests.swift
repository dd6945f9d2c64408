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
struct AccountTests {
    private func credentials(_ name: String, _ password: String = "correct horse") -> String {
        #"{"username":"\#(name)","password":"\#(password)"}"#
    }

    @Test(.migratedDatabase) func `of many who register at once exactly one becomes the admin`() async throws {
        try await TestAPI.serve { api in
            let roles = try await withThrowingTaskGroup(of: String?.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        let answer = try await api.send("POST", "/api/auth/register", credentials("first\(number)"))
                        return answer.data["user"]?["role"]?.stringValue
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(roles.count { $0 == "ADMIN" } == 1)
            #expect(roles.count { $0 == "USER" } == 7)
        }
    }

    @Test func `who registers is logged in and can log in again by name and by address`() async throws {
        try await TestAPI.serve { api in
            let body = #"{"username":"Ada.L","email":"ada@example.org","password":"correct horse"}"#
            let registered = try await api.send("POST", "/api/auth/register", body)
            #expect(registered.status == 201)
            #expect(registered.data["user"]?["username"] == "Ada.L")
            #expect(registered.data["user"]?["email"] == "ada@example.org")
            #expect(registered.data["expiresIn"] == 900)
            #expect(!registered.text.contains("argon2"))
            let token = try #require(registered.data["accessToken"]?.stringValue)
            let me = try await api.send("GET", "/api/auth/me", token: token)
            #expect(me.status == 200)
            #expect(me.data == registered.data["user"])
            for login in [
                credentials("ADA.l"), credentials("ada@example.org"),
                #"{"email":"Ada@Example.org","password":"correct horse"}"#,
            ] {
                #expect(try await api.send("POST", "/api/auth/login", login).status == 200)
            }
        }
    }

    @Test(arguments: [
        (#"{"username":"TAKEN","password":"correct horse"}"#, "username"),
        (#"{"username":"other","email":"Taken@example.org","password":"correct horse"}"#, "email"),
    ])
    func `what is taken cannot be registered again`(body: String, field: String) async throws {
        try await TestAPI.serve { api in
            _ = try await api.send(
                "POST", "/api/auth/register",
                #"{"username":"taken","email":"taken@example.org","password":"correct horse"}"#)
            let answer = try await api.send("POST", "/api/auth/register", body)
            #expect(answer.status == 409)
            #expect(answer.code == "conflict")
            #expect(answer.wrongFields == [field])
        }
    }

    @Test(arguments: [
        (#"{}"#, ["username", "password"]),
        (#"{"username":"ab","password":"short"}"#, ["username", "password"]),
        (#"{"username":"a b c","email":"no address","password":"correct horse"}"#, ["username", "email"]),
        (#"{"username":"müller","password":"correct horse"}"#, ["username"]),
        (#"{"username":"\#(String(repeating: "a", count: 33))","password":"correct horse"}"#, ["username"]),
        (#"{"username":7,"email":[],"password":null}"#, ["username", "email", "password"]),
        (#"{"username":"abc","email":"a@b@c","password":"correct horse"}"#, ["email"]),
        (#"{"username":"abc","password":"correct\u0000horse"}"#, ["password"]),
        (#"{"username":"abc","password":"correct\ud800horse"}"#, ["password"]),
    ])
    func `all that is wrong with a registration is told at once`(body: String, fields: [String]) async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send("POST", "/api/auth/register", body)
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
            #expect(answer.wrongFields == fields)
        }
    }

    @Test func `nobody registers when registration is closed`() async throws {
        try await TestAPI.serve(settings: [.registrationEnabled: false]) { api in
            let answer = try await api.send("POST", "/api/auth/register", credentials("latecomer"))
            #expect(answer.status == 403)
            #expect(answer.code == "forbidden")
        }
    }

    @Test func `an unknown user and a wrong password get the same answer`() async throws {
        try await TestAPI.serve { api in
            _ = try await api.send("POST", "/api/auth/register", credentials("known"))
            let person = try await api.person()
            let wrong = try await api.send("POST", "/api/auth/login", credentials("known", "wrong horse"))
            for name in ["unknown", person.username] {
                let answer = try await api.send("POST", "/api/auth/login", credentials(name, "wrong horse"))
                #expect(answer.status == 401)
                #expect(answer.code == "unauthenticated")
                #expect(answer.json?["error"] == wrong.json?["error"])
                #expect(answer.fields["www-authenticate"] == "Bearer")
            }
        }
    }

    @Test func `a refresh token works once and its second use ends the whole log-in`() async throws {
        try await TestAPI.serve { api in
            let first = try await api.send("POST", "/api/auth/register", credentials("rotator"))
            func refresh(_ answer: APIAnswer) async throws -> APIAnswer {
                let token = answer.data["refreshToken"]?.stringValue ?? ""
                return try await api.send("POST", "/api/auth/refresh", #"{"refreshToken":"\#(token)"}"#)
            }
            let second = try await refresh(first)
            #expect(second.status == 200)
            #expect(second.data["refreshToken"] != first.data["refreshToken"])
            #expect(try await refresh(first).status == 401)
            #expect(try await refresh(second).status == 401)
            #expect(api.log.lines.contains { $0.contains("a refresh token was used twice") })
        }
    }

    @Test(arguments: ["", "rt-nonsense", "x"])
    func `what is no refresh token refreshes nothing`(token: String) async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send("POST", "/api/auth/refresh", #"{"refreshToken":"\#(token)"}"#)
            #expect(answer.status == (token.isEmpty ? 400 : 401))
        }
    }

    @Test func `logging out ends the log-in and may be repeated`() async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send("POST", "/api/auth/register", credentials("leaver"))
            let body = #"{"refreshToken":"\#(answer.data["refreshToken"]?.stringValue ?? "")"}"#
            #expect(try await api.send("POST", "/api/auth/logout", body).status == 200)
            #expect(try await api.send("POST", "/api/auth/logout", body).status == 200)
            #expect(try await api.send("POST", "/api/auth/refresh", body).status == 401)
        }
    }

    @Test func `a log-in hashes a password anew whose hash cost something else, and ends no log-in`() async throws {
        try await TestAPI.serve { api in
            let registered = try await api.send("POST", "/api/auth/register", credentials("veteran"))
            let id = try #require(UserID(registered.data["user"]?["id"]?.stringValue ?? ""))
            let weak = try PasswordHasher(cost: PasswordHasher.Cost(operations: 2, memoryBytes: 8192))
                .hash("correct horse")
            let pool = api.services.database.pool
            try await pool.execute("UPDATE users SET password_hash = \(weak) WHERE id = \(id)")
            func storedHash() async throws -> String? {
                try await pool.query("SELECT password_hash FROM users WHERE id = \(id)").decodeFirst(String.self)
            }
            #expect(try await api.send("POST", "/api/auth/login", credentials("veteran", "guess")).status == 401)
            #expect(try await storedHash() == weak)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await api.send("POST", "/api/auth/login", credentials("veteran")).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == [200, 200, 200, 200])
            let hash = try #require(try await storedHash())
            #expect(hash != weak && !api.services.passwordHasher.needsRehash(hash))
            #expect(api.log.lines.contains { $0.contains("a password was hashed anew") })
            #expect(try await api.send("POST", "/api/auth/login", credentials("veteran")).status == 200)
            #expect(try await storedHash() == hash)
            let refresh = #"{"refreshToken":"\#(registered.data["refreshToken"]?.stringValue ?? "")"}"#
            #expect(try await api.send("POST", "/api/auth/refresh", refresh).status == 200)
        }
    }

    @Test func `a new password ends every log-in and the old password`() async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send("POST", "/api/auth/register", credentials("changer"))
            let token = try #require(answer.data["accessToken"]?.stringValue)
            let wrong = try await api.send(
                "PUT", "/api/auth/password", #"{"currentPassword":"guess","newPassword":"battery staple"}"#,
                token: token)
            #expect(wrong.status == 400)
            #expect(wrong.wrongFields == ["currentPassword"])
            let changed = try await api.send(
                "PUT", "/api/auth/password", #"{"currentPassword":"correct horse","newPassword":"battery staple"}"#,
                token: token)
            #expect(changed.status == 200)
            let refresh = #"{"refreshToken":"\#(answer.data["refreshToken"]?.stringValue ?? "")"}"#
            #expect(try await api.send("POST", "/api/auth/refresh", refresh).status == 401)
            #expect(try await api.send("POST", "/api/auth/login", credentials("changer")).status == 401)
            let new = credentials("changer", "battery staple")
            #expect(try await api.send("POST", "/api/auth/login", new).status == 200)
        }
    }
}
