// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct SettingsStoreTests {
    private static let defaults = SystemSettings(defaults: [
        .registrationEnabled: true, .brandText: "Switchyard", .sseHeartbeatIntervalMilliseconds: 15000,
        .providerMaxIdleMilliseconds: 60000, .providerTimeoutMilliseconds: 600_000, .usageEmit: true,
        .usageProviderOnly: false, .titleEnabled: true, .summaryEnabled: true, .rateLimitMax: 600,
        .rateLimitIPMax: 1200, .rateLimitWindowMilliseconds: 60000, .authRateLimitMax: 20,
    ])

    private func store(_ database: TestDatabase) -> SettingsStore {
        SettingsStore(database: database.database, defaults: Self.defaults, logger: .discard)
    }

    @Test func `stored values override the environment and null gives it back`() async throws {
        try await TestDatabase.withMigrated { database in
            let (one, other) = (store(database), store(database))
            #expect(try await one.refresh() == Self.defaults)
            let model: ModelID = Fixture.id()
            let changed = try await one.update(
                try SystemSettingsPatch([
                    "registrationEnabled": false, "brandText": "Ä 🦊", "sseHeartbeatIntervalMs": 1000,
                    "titleModelId": .string(model.description), "summaryModelId": nil,
                ]))
            #expect(!changed.registrationEnabled && changed.brandText == "Ä 🦊" && changed.titleModelID == model)
            #expect(changed.sseHeartbeatInterval == .seconds(1) && changed.summaryModelID == nil)
            #expect(changed.rateLimitMax == 600)
            #expect(one.current == changed)
            #expect(other.current == Self.defaults)
            #expect(try await other.refresh() == changed)
            let back = try await other.update(
                try SystemSettingsPatch(["registrationEnabled": nil, "brandText": nil, "titleModelId": nil]))
            #expect(back.registrationEnabled && back.brandText == "Switchyard" && back.titleModelID == nil)
            #expect(back.sseHeartbeatInterval == .seconds(1))
        }
    }

    @Test func `changes of different members at once all hold`() async throws {
        try await TestDatabase.withMigrated { database in
            let store = store(database)
            let patches: [JSONObject] = [
                ["usageEmit": false], ["rateLimitMax": 5], ["brandText": "x"], ["titleEnabled": false],
            ]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for patch in patches {
                    group.addTask { _ = try await store.update(try SystemSettingsPatch(patch)) }
                }
                try await group.waitForAll()
            }
            let settings = try await store.refresh()
            #expect(!settings.usageEmit && settings.rateLimitMax == 5)
            #expect(settings.brandText == "x" && !settings.titleEnabled)
        }
    }

    @Test func `what a newer version stored is kept and not read`() async throws {
        try await TestDatabase.withMigrated { database in
            try await database.pool.execute(
                "INSERT INTO system_settings (value) VALUES ('{\"future\": [1], \"rateLimitMax\": \"many\"}')")
            let store = store(database)
            #expect(try await store.refresh() == Self.defaults)
            _ = try await store.update(try SystemSettingsPatch(["usageEmit": false]))
            let stored = try await database.pool.query("SELECT value FROM system_settings")
            #expect(try stored.decodeFirst(String.self)?.contains("\"future\": [1]") == true)
        }
    }

    @Test(arguments: [
        ("registrationEnabled", JSONValue.string("yes")), ("brandText", 5), ("unheardOf", true),
        ("rateLimitMax", 0), ("rateLimitMax", 1.5), ("sseHeartbeatIntervalMs", 1), ("titleModelId", "gpt-4"),
        ("brandText", .string(String(repeating: "ä", count: 101))),
    ])
    func `a wrong value is refused by name`(field: String, value: JSONValue) {
        var object: JSONObject = ["usageEmit": true]
        object[field] = value
        #expect {
            _ = try SystemSettingsPatch(object)
        } throws: {
            ($0 as? SystemSettingsPatch.Refusal)?.fields.map(\.field) == [field]
        }
    }

    @Test func `the service ends at shutdown`() async throws {
        try await TestDatabase.withMigrated { database in
            let (store, shutdown) = (store(database), ShutdownSignal())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await store.run(shutdown) }
                shutdown.trigger()
                try await group.waitForAll()
            }
        }
    }
}
