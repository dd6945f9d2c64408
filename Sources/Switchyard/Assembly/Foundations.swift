// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import JSON
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import Tokenization

/// What API and worker both stand on: loops, database, clock, stores.
struct Foundations {
    let configuration: Configuration
    let postgres: PostgresConfiguration
    let loops: EventLoopGroup
    let blocking: BlockingPool
    let logger: Logger
    let metrics: MetricsRegistry
    let pool: PostgresPool
    let database: Database
    let ids: UUIDv7Generator
    let clock: DatabaseClock
    let settings: SettingsStore
    let models: ModelStore
    let providers: ProviderStore
    let gates: ProviderGates
    /// Configurations of the environment and what may be asked of them, to be stored once the schema is known to be there.
    let environmentLimits: [(ModelID, ProviderLimits)]
    let notifier: WakeNotifier
    let sampler: QueueSampler
    let queue: PostgresJobQueue
    let fronts: LineFronts
    let claimer: PostgresPool
    let signingKey: SigningKey

    /// In the order they start; each may rely on those before it.
    var services: [any Service] { [clock, settings, gates, notifier, sampler] }

    /// Runs a body with the pools open; they outlive every service.
    func withPools<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let end = ShutdownSignal()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for pool in [pool, claimer] { group.addTask { await pool.run(end) } }
            defer { end.trigger() }
            return try await body()
        }
    }

    init(_ configuration: Configuration, logger: Logger, metrics: MetricsRegistry) throws {
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        postgres = try configuration.postgres(application: "switchyard/start").withIndexedPlans
        let keys = try KeyMaterial(configuration)
        signingKey = keys.signingKey
        loops = try EventLoopGroup(count: 2)
        blocking = BlockingPool(threadCount: 2, queueLimit: 256)
        pool = PostgresPool(
            name: "main", postgres.serving("pool"), limits: Self.limits(configuration.poolSize), loops: loops.loops,
            blocking: blocking, logger: logger, metrics: metrics)
        claimer = PostgresPool(
            name: "claimer", postgres.serving("claimer").forClaims, limits: Self.limits(1), loops: [loops.loops[0]],
            blocking: blocking,
            logger: logger, metrics: metrics)
        database = Database(pool)
        ids = UUIDv7Generator { WallTime.now().millisecondsSince1970 }
        clock = DatabaseClock(database: database, generator: ids, logger: logger)
        settings = SettingsStore(
            database: database, defaults: Self.defaultSettings(configuration), logger: logger)
        let systemModels = Self.systemModels(configuration)
        models = ModelStore(database: database, keyRing: keys.keyRing, environment: systemModels)
        environmentLimits = systemModels.models.map { ($0.id, $0.fields.limits) }
        providers = ProviderStore(
            database: database, breakerRules: CircuitBreaker.Rules(base: configuration.retryDelay))
        gates = ProviderGates(store: providers, logger: logger)
        notifier = WakeNotifier(
            connection: DedicatedConnection(
                postgres, applicationName: "switchyard/notifier", asynchronousCommit: true, loop: loops.loops[0],
                blocking: blocking, logger: logger), logger: logger, metrics: metrics)
        sampler = QueueSampler(database: database, logger: logger, metrics: metrics)
        fronts = LineFronts(pool: pool)
        queue = PostgresJobQueue(
            pool: pool, claimer: claimer, clock: clock, fronts: fronts, onSessionChange: notifier.changed)
    }

    private static func limits(_ maximum: Int) -> PostgresPool.Limits {
        var limits = PostgresPool.Limits()
        limits.minimumConnections = min(2, maximum)
        limits.maximumConnections = maximum
        return limits
    }

    private static func defaultSettings(_ configuration: Configuration) -> SystemSettings {
        SystemSettings(defaults: [
            .registrationEnabled: .bool(true),
            .brandText: "Switchyard",
            .sseHeartbeatIntervalMilliseconds: .integer(configuration.heartbeatInterval.wholeMilliseconds),
            .providerMaxIdleMilliseconds: .integer(configuration.providerIdle.wholeMilliseconds),
            .providerTimeoutMilliseconds: .integer(configuration.providerTimeout.wholeMilliseconds),
            .usageEmit: .bool(configuration.emitsUsage),
            .usageProviderOnly: .bool(configuration.usageFromProviderOnly),
            .titleEnabled: .bool(true),
            .summaryEnabled: .bool(true),
            .rateLimitMax: .integer(Int64(configuration.rateLimit)),
            .rateLimitIPMax: .integer(Int64(configuration.addressRateLimit)),
            .rateLimitWindowMilliseconds: .integer(configuration.rateLimitWindow.wholeMilliseconds),
            .authRateLimitMax: .integer(Int64(configuration.authenticationRateLimit)),
        ])
    }

    private static func systemModels(_ configuration: Configuration) -> SystemModels {
        let catalogue = ModelCatalogue()
        let openAI = EnvironmentProvider(
            provider: .openAI, apiKey: configuration.openAIKey,
            baseURL: configuration.openAIBaseURL, models: configuration.openAIModels,
            limits: configuration.openAILimits)
        let now = Timestamp(millisecondsSince1970: WallTime.now().millisecondsSince1970)
        return SystemModels([openAI], startedAt: now) { provider, model in
            let limits = catalogue.limits(for: model, contextWindowTokens: nil, pricing: nil)
            return SystemModels.Traits(
                contextLimitTokens: limits.contextWindowTokens, supportsImages: provider == .openAI,
                prices: limits.pricing.map {
                    ModelPrices(inputPerMillion: $0.inputPerMillion, outputPerMillion: $0.outputPerMillion)
                })
        }
    }
}

extension Duration {
    /// Rounded towards zero.
    var wholeMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
