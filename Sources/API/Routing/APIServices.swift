// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Cryptography
package import HTTPServer
package import Observability
package import Persistence
package import Runtime

/// Everything the routes work with, put together once by the composition root and only read from then on.
package struct APIServices: Sendable {
    /// What the environment says.
    package let configuration: APIConfiguration
    /// For what reads the database as a whole: readiness and health.
    package let database: Database
    /// Accounts.
    package let users: UserStore
    /// Log-ins.
    package let refreshTokens: RefreshTokenStore
    /// Provider configurations.
    package let models: ModelStore
    /// Conversations.
    package let sessions: SessionStore
    /// Their messages.
    package let messages: MessageStore
    /// The system's settings in force.
    package let settings: SettingsStore
    /// The limits of requests; a service that somebody must run.
    package let limiter: RateLimiter
    /// Jobs; enqueued and cancelled within the transactions of what they belong to.
    package let queue: PostgresJobQueue
    /// Turns of conversations.
    package let turns: TurnStore
    /// What administrators look at.
    package let overviews: OverviewStore
    /// What they have cost.
    package let usage: UsageStore
    /// Tells workers and readers of what was committed.
    package let notifier: WakeNotifier
    /// Relays token streams.
    package let hub: StreamHub
    /// The time people see, and tokens go by.
    package let clock: DatabaseClock
    /// Ids by that clock.
    package let ids: UUIDv7Generator
    /// Access tokens.
    package let tokens: AccessTokens
    /// Passwords; only on `blocking`.
    package let passwordHasher: PasswordHasher
    /// For hashes: its threads bound their memory.
    package let blocking: BlockingPool
    /// Whether the process's listener hears the database now; shown by the health route.
    package let isListenerHealthy: @Sendable () -> Bool
    /// For all routes.
    package let logger: Logger
    /// For all routes.
    package let metrics: MetricsRegistry

    /// Stores without state of their own are made here of the database. Rate limits' windows turn by `clock`, unless
    /// `limitTime` is given.
    package init(
        configuration: APIConfiguration, database: Database, models: ModelStore, settings: SettingsStore,
        queue: PostgresJobQueue, gates: ProviderGates? = nil, notifier: WakeNotifier, hub: StreamHub,
        clock: DatabaseClock, ids: UUIDv7Generator,
        signingKey: SigningKey, passwordHasher: PasswordHasher = PasswordHasher(), blocking: BlockingPool,
        isListenerHealthy: @escaping @Sendable () -> Bool, limitTime: (@Sendable () -> Timestamp)? = nil,
        logger: Logger, metrics: MetricsRegistry
    ) {
        self.configuration = configuration
        self.database = database
        users = UserStore(database: database)
        refreshTokens = RefreshTokenStore(database: database)
        self.models = models
        sessions = SessionStore(database: database, onChange: notifier.changed)
        messages = MessageStore(database: database)
        self.settings = settings
        limiter = RateLimiter(
            store: RateLimitStore(database: database), settings: settings, now: limitTime ?? { clock.now },
            metrics: metrics)
        self.queue = queue
        turns = TurnStore(database: database, queue: queue, clock: clock, gates: gates)
        overviews = OverviewStore(database: database)
        usage = UsageStore(database: database)
        self.notifier = notifier
        self.hub = hub
        self.clock = clock
        self.ids = ids
        tokens = AccessTokens(key: signingKey)
        self.passwordHasher = passwordHasher
        self.blocking = blocking
        self.isListenerHealthy = isListenerHealthy
        self.logger = logger
        self.metrics = metrics
    }

    /// Answers what the server refuses below the router; to be given to it beside the router.
    package var refusalResponder: RefusalResponder {
        let policy = configuration.crossOrigin
        return { refusal, requestID in
            var response = APIResponse.refusal(refusal, requestID: requestID)
            policy?.mark(&response)
            return response
        }
    }

    /// The API's address space: every route, with what lies around them. Also the server's handler.
    package func makeRouter() -> Router {
        var routes = APIRoutes(self)
        addHealthRoutes(to: &routes)
        addAccountRoutes(to: &routes)
        addModelRoutes(to: &routes)
        addSessionRoutes(to: &routes)
        addSettingRoutes(to: &routes)
        addChatRoutes(to: &routes)
        addJobRoutes(to: &routes)
        addAdminRoutes(to: &routes)
        return routes.router
    }
}
