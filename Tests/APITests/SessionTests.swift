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
struct SessionTests {
    @Test func `an empty object makes a session with the default model`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let made = try await api.send("POST", "/api/sessions", "{}", token: person.token)
            #expect(made.status == 201)
            #expect(made.data["title"] == "New chat")
            #expect(made.data["titleSource"] == "default")
            #expect(made.data["leafMessageId"] == .null)
            #expect(made.data["messageCount"] == 0)
            #expect(made.data["archived"] == false)
            #expect(made.data["tags"] == [])
            let model = try await api.send(
                "GET", "/api/models/\(made.data["modelId"]?.stringValue ?? "")", token: person.token)
            #expect(model.data["provider"] == "local")
            #expect(try await api.send("GET", "/api/sessions/\(made.id)", token: person.token).data == made.data)
        }
    }

    @Test func `text is stored as sent and fields are changed one by one`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let body = #"{"title":" Über 😀\u00e9e\u0301 ","instructions":"Be\nbrief ","tags":["a","ü"]}"#
            let made = try await api.send("POST", "/api/sessions", body, token: person.token)
            #expect(
                made.data["title"]?.stringValue?.unicodeScalars.elementsEqual(" Über 😀\u{E9}e\u{301} ".unicodeScalars)
                    == true)
            #expect(made.data["titleSource"] == "user")
            #expect(made.data["instructions"] == "Be\nbrief ")
            let path = "/api/sessions/\(made.id)"
            let archived = try await api.send("PUT", path, #"{"archived":true}"#, token: person.token)
            #expect(archived.data["archived"] == true)
            #expect(archived.data["title"] == made.data["title"])
            #expect(archived.data["tags"] == ["a", "ü"])
            let bare = try await api.send(
                "PUT", path, #"{"instructions":null,"tags":[],"title":"x"}"#, token: person.token)
            #expect(bare.data["instructions"] == nil)
            #expect(bare.data["tags"] == [])
            #expect(bare.data["title"] == "x")
        }
    }

    @Test(arguments: [
        (#"{"title":"","instructions":5,"tags":"x","modelId":"x"}"#, ["modelId", "title", "instructions", "tags"]),
        (#"{"title":" \n"}"#, ["title"]),
        (#"{"tags":["ok","",7]}"#, ["tags[1]", "tags[2]"]),
        (#"{"instructions":"a\u0000b"}"#, ["instructions"]),
        (#"{"tags":["a","\ud83d"]}"#, ["tags[1]"]),
        (#"[]"#, ["body"]),
        (#""text""#, ["body"]),
    ])
    func `all that is wrong with a session is told at once`(body: String, fields: [String]) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send("POST", "/api/sessions", body, token: person.token)
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
            #expect(answer.wrongFields == fields)
        }
    }

    @Test func `a list goes on where its cursor says and shows what was active last first`() async throws {
        try await TestAPI.serve { api in
            let (person, other) = (try await api.person(), try await api.person())
            var ids: [String] = []
            for _ in 0..<5 {
                ids.append(try await api.send("POST", "/api/sessions", "{}", token: person.token).id)
            }
            _ = try await api.send("POST", "/api/sessions", "{}", token: other.token)
            _ = try await api.send("PUT", "/api/sessions/\(ids[0])", #"{"title":"again"}"#, token: person.token)
            var seen: [String] = []
            var cursor: String?
            repeat {
                let query = "?limit=2" + (cursor.map { "&cursor=\($0)" } ?? "")
                let page = try await api.send("GET", "/api/sessions\(query)", token: person.token)
                #expect(page.status == 200)
                seen += page.data["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
                cursor = page.data["nextCursor"]?.stringValue
            } while cursor != nil && seen.count < 10
            #expect(seen == [ids[0]] + ids.dropFirst().reversed())
            _ = try await api.send("PUT", "/api/sessions/\(ids[1])", #"{"archived":true}"#, token: person.token)
            let archived = try await api.send("GET", "/api/sessions?archived=true", token: person.token)
            #expect(archived.data["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == [ids[1]])
        }
    }

    @Test(arguments: [
        ("limit=0", ["limit"]), ("limit=101", ["limit"]), ("limit=ten", ["limit"]), ("cursor=x", ["cursor"]),
        ("cursor=!&limit=-1&archived=1", ["cursor", "limit", "archived"]),
    ])
    func `all that is wrong with a query is told at once`(query: String, fields: [String]) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send("GET", "/api/sessions?\(query)", token: person.token)
            #expect(answer.status == 400)
            #expect(answer.wrongFields == fields)
        }
    }

    @Test func `messages are the path to a leaf, read upwards page by page`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let made = try await api.send("POST", "/api/sessions", "{}", token: person.token)
            let path = "/api/sessions/\(made.id)/messages"
            let empty = try await api.send("GET", path, token: person.token)
            #expect(empty.data == ["items": [], "nextCursor": nil])
            let session = try #require(SessionID(made.id))
            let thread = try await api.addThread(of: 5, to: session, owner: person.id)
            let branch = try await api.addMessage("branch", under: thread[3], to: session, owner: person.id)

            let last = try await api.send("GET", "\(path)?limit=2", token: person.token)
            #expect(
                last.data["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == thread[3...].map(\.description))
            #expect(last.data["items"]?[1]?["siblingCount"] == 2)
            #expect(last.data["items"]?[1]?["siblingIndex"] == 0)
            #expect(last.data["items"]?[1]?["parentMessageId"]?.stringValue == thread[3].description)
            #expect(last.data["items"]?[1]?["sessionId"]?.stringValue == made.id)
            #expect(last.data["items"]?[1]?["status"] == "complete")
            let cursor = try #require(last.data["nextCursor"]?.stringValue)
            let above = try await api.send("GET", "\(path)?cursor=\(cursor)", token: person.token)
            #expect(
                above.data["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == thread[..<3].map(\.description)
            )
            #expect(above.data["items"]?[0]?["parentMessageId"] == .null)
            #expect(above.data["nextCursor"] == .null)
            let other = try await api.send("GET", "\(path)?leaf=\(branch)", token: person.token)
            #expect(other.data["items"]?.arrayValue?.last?["id"]?.stringValue == branch.description)
            #expect(try await api.send("GET", "\(path)?leaf=\(made.id)", token: person.token).status == 404)
        }
    }

    @Test func `deleting a session takes its messages along and cancels what has not ended`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let made = try await api.send("POST", "/api/sessions", "{}", token: person.token)
            let session = try #require(SessionID(made.id))
            let job = try await api.addPendingTurn(to: session, owner: person.id)
            let deleted = try await api.send("DELETE", "/api/sessions/\(made.id)", token: person.token)
            #expect(deleted.status == 200)
            let record = try await api.services.queue.record(job, owner: person.id)
            #expect(record?.state == .cancelled)
            #expect(try await api.send("DELETE", "/api/sessions/\(made.id)", token: person.token).status == 404)
            let rows = try await api.services.database.pool.query(
                "SELECT count(*) FROM messages WHERE session_id = \(session)")
            let count = try rows.decodeFirst(Int.self)
            #expect(count == 0)
        }
    }

    @Test func `another's session does not exist`() async throws {
        try await TestAPI.serve { api in
            let (owner, stranger) = (try await api.person(), try await api.person(.admin))
            let id = try await api.send("POST", "/api/sessions", "{}", token: owner.token).id
            for path in [
                "/api/sessions/\(id)", "/api/sessions/00000000-0000-7000-8000-000000000000", "/api/sessions/x",
            ] {
                for (method, suffix) in [
                    ("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/messages"), ("GET", "/events"),
                ] {
                    let answer = try await api.send(
                        method, path + suffix, method == "PUT" ? #"{"title":"mine"}"# : nil, token: stranger.token)
                    #expect(answer.status == 404, "\(method) \(path)\(suffix)")
                    #expect(answer.code == "not_found")
                }
            }
            #expect(try await api.send("GET", "/api/sessions/\(id)", token: owner.token).data["title"] == "New chat")
        }
    }
}
