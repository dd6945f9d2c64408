// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import JSON
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct ModelStoreTests {
    @Test func `what is stored is read back and the key only by resolving`() async throws {
        let fixture = try await Fixture.make()
        let store = try Fixture.models(fixture.database)
        let id: ModelID = Fixture.id()
        let made = try await store.create(
            id, owner: fixture.user, Fixture.modelFields, apiKey: Secret("sk-top-secret"))
        #expect(made.fields == Fixture.modelFields)
        #expect(made.scope == .personal(fixture.user) && made.hasAPIKey)
        #expect(try await store.find(id, visibleTo: fixture.user) == made)
        let resolved = try await store.resolve(id, for: fixture.user, defaultID: nil)
        #expect(resolved.apiKey?.revealed() == "sk-top-secret")
        let stored = try await fixture.database.pool.query("SELECT sealed_api_key FROM models WHERE id = \(id)")
        let bytes = try #require(try stored.decodeFirst([UInt8].self))
        #expect(!String(decoding: bytes, as: UTF8.self).contains("secret"))
    }

    @Test func `a key copied to another row does not open`() async throws {
        let fixture = try await Fixture.make()
        let store = try Fixture.models(fixture.database)
        let (first, second): (ModelID, ModelID) = (Fixture.id(), Fixture.id())
        _ = try await store.create(first, owner: fixture.user, Fixture.modelFields, apiKey: Secret("sk-1"))
        var fields = Fixture.modelFields
        fields.name = "thief"
        _ = try await store.create(second, owner: fixture.user, fields, apiKey: nil)
        try await fixture.database.pool.execute(
            """
            UPDATE models SET sealed_api_key = (SELECT sealed_api_key FROM models WHERE id = \(first))
            WHERE id = \(second)
            """)
        #expect(
            try await code { _ = try await store.resolve(second, for: fixture.user, defaultID: nil) } == .internal)
    }

    @Test func `an update keeps, replaces or takes away the key`() async throws {
        let fixture = try await Fixture.make()
        let store = try Fixture.models(fixture.database)
        let id: ModelID = Fixture.id()
        func key() async throws -> String? {
            try await store.resolve(id, for: fixture.user, defaultID: nil).apiKey?.revealed()
        }
        _ = try await store.create(id, owner: fixture.user, Fixture.modelFields, apiKey: Secret("one"))
        let renamed = try await store.update(id, owner: fixture.user) { fields in
            var fields = fields
            fields.name = "renamed"
            fields.prices = nil
            return fields
        }
        #expect(renamed.fields.name == "renamed" && renamed.fields.prices == nil)
        #expect(try await key() == "one")
        _ = try await store.update(id, owner: fixture.user, apiKey: .set(Secret("two"))) { $0 }
        #expect(try await key() == "two")
        #expect(try await store.update(id, owner: fixture.user, apiKey: .set(nil)) { $0 }.hasAPIKey == false)
        #expect(try await key() == nil)
    }

    @Test func `names are unique for each owner, the system and the environment included`() async throws {
        let (ann, bob) = (try await Fixture.make(), try await Fixture.make())
        let store = try Fixture.models(ann.database)
        let taken = PersistenceError.Code.conflict(constraint: "models_user_id_name_key")
        var fields = Fixture.modelFields
        fields.name = "unique names"
        func create(_ owner: UserID?) async throws {
            _ = try await store.create(Fixture.id(), owner: owner, fields, apiKey: nil)
        }
        try await create(ann.user)
        try await create(bob.user)
        try await create(nil)
        #expect(try await code { try await create(ann.user) } == taken)
        #expect(try await code { try await create(nil) } == taken)
        fields.name = "local"
        #expect(try await code { try await create(nil) } == taken)
        try await create(ann.user)
    }

    @Test func `one in use is not deleted and the error counts its sessions`() async throws {
        let fixture = try await Fixture.make()
        let store = try Fixture.models(fixture.database)
        let id: ModelID = Fixture.id()
        _ = try await store.create(id, owner: fixture.user, Fixture.modelFields, apiKey: nil)
        let sessions = [
            try await fixture.session(model: id), try await fixture.session(model: id), try await fixture.session(),
        ]
        #expect(try await code { try await store.delete(id, owner: fixture.user) } == .inUse(count: 2))
        var changes = SessionChanges()
        changes.modelID = .set(nil)
        for session in sessions { _ = try await fixture.sessions.update(session.id, user: fixture.user, changes) }
        try await store.delete(id, owner: fixture.user)
        #expect(try await code { try await store.delete(id, owner: fixture.user) } == .notFound)
    }

    @Test func `a request takes its model, else the settings', else the environment's with a key, else the local one`()
        async throws
    {
        let fixture = try await Fixture.make()
        let bare = try Fixture.models(fixture.database)
        #expect(try await bare.resolve(nil, for: fixture.user, defaultID: nil).fields.provider == .local)
        let store = try Fixture.models(
            fixture.database,
            [
                EnvironmentProvider(provider: .ollama, baseURL: "http://10.0.0.1:11434", models: ["llama"]),
                EnvironmentProvider(provider: .anthropic, apiKey: Secret("sk-ant"), models: ["claude", "claude-2"]),
                EnvironmentProvider(provider: .openAI, apiKey: Secret(""), models: ["gpt"]),
            ])
        let preferred = try await store.resolve(nil, for: fixture.user, defaultID: nil)
        #expect(preferred.fields.model == "claude" && preferred.apiKey?.revealed() == "sk-ant")
        #expect(preferred.fields.apiURL == "https://api.anthropic.com")
        let id: ModelID = Fixture.id()
        _ = try await store.create(id, owner: fixture.user, Fixture.modelFields, apiKey: nil)
        #expect(try await store.resolve(nil, for: fixture.user, defaultID: id).id == id)
        // A default that is gone does not stop anyone; a choice that is gone is an error.
        #expect(try await store.resolve(nil, for: fixture.user, defaultID: Fixture.id()).id == preferred.id)
        #expect(
            try await code {
                _ = try await store.resolve(Fixture.id(), for: fixture.user, defaultID: id)
            } == .notFound)
        let listed = try await store.list(visibleTo: fixture.user)
        #expect(listed.personal.map(\.id) == [id])
        #expect(
            listed.system.filter { $0.scope == .environment }.map(\.fields.name)
                == ["ollama", "anthropic", "anthropic/claude-2", "local"])
    }

    @Test func `a name means a configuration's before a provider's model, and one's own before the system's`()
        async throws
    {
        let fixture = try await Fixture.make()
        let store = try Fixture.models(fixture.database)
        func create(_ name: String, _ model: String, owner: UserID?) async throws -> ModelID {
            var fields = Fixture.modelFields
            (fields.name, fields.model) = (name, model)
            return try await store.create(Fixture.id(), owner: owner, fields, apiKey: nil).id
        }
        let byModel = try await create("a", "shared", owner: fixture.user)
        #expect(try await store.resolve(named: "shared", for: fixture.user)?.id == byModel)
        let system = try await create("shared", "x", owner: nil)
        #expect(try await store.resolve(named: "shared", for: fixture.user)?.id == system)
        let own = try await create("shared", "y", owner: fixture.user)
        #expect(try await store.resolve(named: "shared", for: fixture.user)?.id == own)
        #expect(try await store.resolve(named: "local", for: fixture.user)?.fields.provider == .local)
        #expect(try await store.resolve(named: "nothing of the kind", for: fixture.user) == nil)
    }

    @Test func `the ids of the environment's models do not change`() throws {
        let models = SystemModels(
            [EnvironmentProvider(provider: .openAI, apiKey: Secret("k"), models: ["gpt-4o", "gpt-5"])],
            startedAt: Timestamp(microsecondsSince1970: 0)
        ) { _, _ in SystemModels.Traits(contextLimitTokens: 1, supportsImages: false) }
        #expect(
            models.models.map(\.id.description) == [
                "71b8ea19-07f1-8ceb-8c5f-6ae493a344b1",
                "f8188265-b050-860c-8a37-6ca8e4e1b5ce",
                "278c5511-31c9-8b37-b490-d7672500ad24",
            ])
    }
}
