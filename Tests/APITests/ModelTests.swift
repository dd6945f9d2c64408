// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Observability
import Persistence
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct ModelTests {
    private static let body = #"""
        {"name":"Mine","provider":"openai","apiUrl":"https://llm.example.org/v1/chat/completions/","model":"gpt-4o-mini",
         "apiKey":"sk-secret-key","supportsImages":true,"maxOutputTokens":512,
         "defaults":{"temperature":0.5,"topP":1,"unknown":1},"pricing":{"inputPerMillion":1,"outputPerMillion":2.5}}
        """#

    @Test func `a model comes back with everything but its key`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let made = try await api.send("POST", "/api/models", Self.body, token: person.token)
            #expect(made.status == 201)
            #expect(made.data["scope"] == "personal")
            #expect(made.data["apiUrl"] == "https://llm.example.org/v1")
            #expect(made.data["hasApiKey"] == true)
            #expect(made.data["contextLimit"] == 128_000)
            #expect(made.data["defaults"] == ["temperature": 0.5, "topP": 1.0])
            #expect(made.data["pricing"] == ["inputPerMillion": 1.0, "outputPerMillion": 2.5])
            let shown = try await api.send("GET", "/api/models/\(made.id)", token: person.token)
            #expect(shown.data == made.data)
            let list = try await api.send("GET", "/api/models", token: person.token)
            #expect(list.data["personal"]?.arrayValue == [made.data])
            #expect(list.data["system"]?[0]?["provider"] == "local")
            for answer in [made, shown, list] { #expect(!answer.text.contains("sk-secret")) }
        }
    }

    @Test func `an update without a key keeps it and null takes it away`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let made = try await api.send("POST", "/api/models", Self.body, token: person.token)
            let path = "/api/models/\(made.id)"
            let renamed = try await api.send("PUT", path, #"{"name":"Other","pricing":null}"#, token: person.token)
            #expect(renamed.status == 200)
            #expect(renamed.data["name"] == "Other")
            #expect(renamed.data["hasApiKey"] == true)
            #expect(renamed.data["pricing"] == nil)
            #expect(renamed.data["maxOutputTokens"] == 512)
            let id = try #require(ModelID(made.id))
            let key = try await api.services.models.resolve(id, for: person.id, defaultID: nil)
            #expect(key.apiKey?.revealed() == "sk-secret-key")
            let bare = try await api.send("PUT", path, #"{"apiKey":null}"#, token: person.token)
            #expect(bare.data["hasApiKey"] == false)
            let moved = try await api.send("PUT", path, #"{"provider":"anthropic"}"#, token: person.token)
            #expect(moved.data["apiUrl"] == "https://api.anthropic.com")
        }
    }

    @Test func `limits are shown, kept by an update without them, and taken away by null`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let body = #"{"name":"Limited","provider":"local","limits":{"maxConcurrent":3,"tokensPerMinute":90000}}"#
            let made = try await api.send("POST", "/api/models", body, token: person.token)
            #expect(made.data["limits"] == ["maxConcurrent": 3, "tokensPerMinute": 90_000])
            let path = "/api/models/\(made.id)"
            let renamed = try await api.send("PUT", path, #"{"name":"Other"}"#, token: person.token)
            #expect(renamed.data["limits"] == made.data["limits"])
            let other = try await api.send(
                "PUT", path, #"{"limits":{"requestsPerMinute":60}}"#, token: person.token)
            #expect(other.data["limits"] == ["requestsPerMinute": 60])
            let free = try await api.send("PUT", path, #"{"limits":null}"#, token: person.token)
            #expect(free.status == 200 && free.data["limits"] == nil)
        }
    }

    @Test(arguments: [
        (#"{}"#, ["name", "provider", "model"]),
        (#"{"name":" ","provider":"acme","model":""}"#, ["name", "provider", "model"]),
        (#"{"name":"a","provider":"openai","model":"m","apiUrl":"ftp://x"}"#, ["apiUrl"]),
        (#"{"name":"a","provider":"openai","model":"m","apiUrl":"https://u:p@example.org"}"#, ["apiUrl"]),
        (#"{"name":"a","provider":"openai","model":"m","apiUrl":"http://127.0.0.1:11434"}"#, ["apiUrl"]),
        (#"{"name":"a","provider":"openai","model":"m","apiUrl":"http://LOCALHOST"}"#, ["apiUrl"]),
        (#"{"name":"a","provider":"ollama","model":"m"}"#, ["apiUrl"]),
        (#"{"name":"a","provider":"azure","model":"m"}"#, ["apiUrl"]),
        (#"{"name":"a","provider":"openai","model":"m","apiKey":"with space"}"#, ["apiKey"]),
        (
            #"{"name":"a","provider":"openai","model":"m","contextLimit":0,"maxOutputTokens":1.5}"#,
            ["contextLimit", "maxOutputTokens"]
        ),
        (
            #"{"name":"a","provider":"local","limits":{"maxConcurrent":0,"requestsPerMinute":1.5,"tokensPerMinute":"1"}}"#,
            ["limits.maxConcurrent", "limits.requestsPerMinute", "limits.tokensPerMinute"]
        ),
        (
            #"{"name":"a","provider":"openai","model":"m","supportsImages":"yes","defaults":[]}"#,
            ["supportsImages", "defaults"]
        ),
        (
            #"{"name":"a","provider":"openai","model":"m","defaults":{"temperature":3,"stop":[""]}}"#,
            ["defaults.temperature", "defaults.stop[0]"]
        ),
        (
            #"{"name":"a","provider":"openai","model":"m","pricing":{"inputPerMillion":-1}}"#,
            ["pricing.inputPerMillion", "pricing.outputPerMillion"]
        ),
    ])
    func `all that is wrong with a model is told at once`(body: String, fields: [String]) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send("POST", "/api/models", body, token: person.token)
            #expect(answer.status == 400)
            #expect(answer.code == "validation_failed")
            #expect(answer.wrongFields == fields)
        }
    }

    @Test func `private addresses are for the system's models, and for everyone where that is allowed`() async throws {
        let body = #"{"name":"house","provider":"ollama","model":"m","apiUrl":"http://10.0.0.5:11434/api/chat"}"#
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            #expect(try await api.send("POST", "/api/models", body, token: admin.token).status == 400)
            let made = try await api.send("POST", "/api/models/system", body, token: admin.token)
            #expect(made.status == 201)
            #expect(made.data["scope"] == "system")
            #expect(made.data["apiUrl"] == "http://10.0.0.5:11434")
        }
        try await TestAPI.serve(configure: { $0.allowsPrivateProviders = true }) { api in
            let person = try await api.person()
            #expect(try await api.send("POST", "/api/models", body, token: person.token).status == 201)
        }
    }

    @Test func `names are unique among one's own`() async throws {
        try await TestAPI.serve { api in
            let (one, other) = (try await api.person(), try await api.person())
            #expect(try await api.send("POST", "/api/models", Self.body, token: one.token).status == 201)
            let again = try await api.send("POST", "/api/models", Self.body, token: one.token)
            #expect(again.status == 409)
            #expect(again.code == "conflict")
            #expect(again.wrongFields == ["name"])
            #expect(try await api.send("POST", "/api/models", Self.body, token: other.token).status == 201)
        }
    }

    @Test func `a model in use stays, and the answer says how often it is used`() async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let model = try await api.send("POST", "/api/models", Self.body, token: person.token)
            var sessions: [String] = []
            for _ in 0..<2 {
                let body = #"{"modelId":"\#(model.id)"}"#
                sessions.append(try await api.send("POST", "/api/sessions", body, token: person.token).id)
            }
            let path = "/api/models/\(model.id)"
            let refused = try await api.send("DELETE", path, token: person.token)
            #expect(refused.status == 409)
            #expect(refused.json?["error"] == "This model is used by 2 sessions.")
            for id in sessions { _ = try await api.send("DELETE", "/api/sessions/\(id)", token: person.token) }
            #expect(try await api.send("DELETE", path, token: person.token).status == 200)
            #expect(try await api.send("GET", path, token: person.token).status == 404)
        }
    }

    @Test func `another's model does not exist, and the system's is not one's own`() async throws {
        try await TestAPI.serve { api in
            let (owner, stranger) = (try await api.person(), try await api.person(.admin))
            let id = try await api.send("POST", "/api/models", Self.body, token: owner.token).id
            let system = try await api.send("POST", "/api/models/system", Self.body, token: stranger.token)
            for (method, path) in [
                ("GET", "/api/models/\(id)"), ("PUT", "/api/models/\(id)"), ("DELETE", "/api/models/\(id)"),
                ("PUT", "/api/models/system/\(id)"), ("DELETE", "/api/models/system/\(id)"),
                ("PUT", "/api/models/\(system.id)"), ("DELETE", "/api/models/\(system.id)"),
                ("GET", "/api/models/nonsense"),
            ] {
                let answer = try await api.send(method, path, method == "PUT" ? "{}" : nil, token: stranger.token)
                #expect(answer.status == 404, "\(method) \(path)")
                #expect(answer.code == "not_found")
            }
            #expect(try await api.send("GET", "/api/models/\(system.id)", token: owner.token).status == 200)
            let session = try await api.send(
                "POST", "/api/sessions", #"{"modelId":"\#(id)"}"#, token: stranger.token)
            #expect(session.status == 404)
            let path = "/api/models/system/\(system.id)"
            #expect(try await api.send("PUT", path, #"{"name":"ours"}"#, token: stranger.token).status == 200)
            #expect(try await api.send("DELETE", path, token: stranger.token).status == 200)
        }
    }
}
