// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import Jobs
import Observability
import Persistence
import Postgres
import Providers
import Runtime
import TestSupport
import Testing

@testable import Worker

/// Several keepers, as several processes would have them, on one database.
enum KeeperFixture {
    struct Setting: Sendable {
        let keepers: [ProviderKeeper]
        let model: ResolvedModel
        let database: TestDatabase
        let store: ProviderStore
        /// Of each keeper its own.
        let registries: [MetricsRegistry]
        /// How often claimers were told to look again.
        let wakes: Recorder<Int>

        var queue: PostgresJobQueue {
            PostgresJobQueue(
                pool: database.pool, claimer: database.pool,
                clock: DatabaseClock(
                    database: database.database, generator: UUIDv7Generator { 1_790_000_000_000 }, logger: .discard))
        }
    }

    /// Runs so many keepers that tell each other what they have to tell.
    static func with(
        keepers count: Int, _ limits: ProviderLimits, minute: Duration = .seconds(60), freeSlots: Int = 0,
        _ body: @Sendable (Setting) async throws -> Void
    ) async throws {
        try await TestDatabase.withMigrated { database in
            let rules = BudgetRules(minute: minute)
            let models = ModelStore(
                database: database.database,
                keyRing: KeyRing(current: try EncryptionKey(text: String(repeating: "k", count: 40))),
                environment: SystemModels([], startedAt: WorkerFixture.now) { _, _ in
                    SystemModels.Traits(contextLimitTokens: 1000, supportsImages: false)
                })
            let id: ModelID = WorkerFixture.id()
            _ = try await models.create(
                id, owner: nil,
                ModelFields(
                    name: "limited", provider: .local, apiURL: "", model: "local", supportsImages: false,
                    contextLimitTokens: 1000, limits: limits), apiKey: nil)
            let all = Recorder<[ProviderKeeper]>([])
            let store = ProviderStore(
                database: database.database, rules: rules,
                breakerRules: CircuitBreaker.Rules(threshold: 3, base: .milliseconds(200)))
            let registries = (0..<count).map { _ in MetricsRegistry() }
            let wakes = Recorder(0)
            let keepers = registries.map { registry in
                ProviderKeeper(
                    store: store, id: WorkerFixture.id(), rules: rules,
                    policy: RetryPolicy(rateLimitDelay: .milliseconds(300)),
                    surroundings: ProviderKeeper.Surroundings(
                        isBeating: { true }, freeSlots: { freeSlots }, wakeWorker: { wakes.withLock { $0 += 1 } },
                        tellOthers: { for keeper in all.withLock({ $0 }) { keeper.changed() } }),
                    logger: .discard, metrics: ProviderMetrics(registry))
            }
            all.withLock { $0 = keepers }
            let model = try await models.resolve(id, for: WorkerFixture.id(), defaultID: nil)
            let shutdown = ShutdownSignal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for keeper in keepers { group.addTask { try await keeper.run(shutdown) } }
                do {
                    try await body(
                        Setting(
                            keepers: keepers, model: model, database: database, store: store, registries: registries,
                            wakes: wakes))
                } catch {
                    group.cancelAll()
                    throw error
                }
                shutdown.trigger()
                try await group.waitForAll()
            }
            #expect(try await store.holders().isEmpty)
            all.withLock { $0 = [] }
        }
    }

    static func request() -> ProviderRequest {
        ProviderRequest(
            endpoint: ProviderEndpoint(baseURL: ""), model: "local", messages: [ChatMessage(role: .user, content: "hi")]
        )
    }
}
