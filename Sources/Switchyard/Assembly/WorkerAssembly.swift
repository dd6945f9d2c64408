// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPClient
import Jobs
import Observability
import Persistence
import Postgres
import Providers
import Runtime
import Tokenization
import Worker

/// A worker's services, wired.
struct WorkerAssembly {
    /// In the order they start.
    let services: [any Service]

    init(_ foundations: Foundations) {
        let (logger, metrics, loops) = (foundations.logger, foundations.metrics, foundations.loops)
        let configuration = foundations.configuration
        let id: WorkerID = foundations.ids.next()
        let clock = foundations.clock
        let now: @Sendable () -> Timestamp = { clock.now }
        let notifier = foundations.notifier
        let wake: @Sendable (Set<Lane>) -> Void = { notifier.wake($0) }
        let workerMetrics = WorkerMetrics(metrics)
        let registry = RunRegistry()

        let publisher = Publisher(
            appender: EventLogWriter(
                connection: DedicatedConnection(
                    foundations.postgres, applicationName: "switchyard/publisher", asynchronousCommit: true,
                    loop: loops.loops[0], blocking: foundations.blocking, logger: logger)),
            loop: loops.loops[0], interval: configuration.publishInterval, now: now, logger: logger, metrics: metrics)
        let ends = EndBatcher(settler: foundations.queue, loop: loops.loops[0]) { registry.count }
        let policy = RetryPolicy(rateLimitDelay: configuration.rateLimitDelay, base: configuration.retryDelay)
        let found = BoundedChannel<Heartbeat.Finding>(capacity: 256)
        let postgres = foundations.postgres
        let wakeUps = WakeUps()
        let heartbeat = Heartbeat(
            loops: loops.loops, registry: registry, found: found, logger: logger, metrics: workerMetrics,
            onRevival: { wakeUps.wake() }
        ) {
            try WorkerPulse(
                postgres, id: id, slots: configuration.workerSlots, version: Program.version, logger: logger)
        }
        let keeper = ProviderKeeper(
            store: foundations.providers, id: id, rules: BudgetRules(), policy: policy,
            surroundings: ProviderKeeper.Surroundings(
                isBeating: { heartbeat.isFresh },
                freeSlots: { configuration.workerSlots - registry.count }, wakeWorker: { wakeUps.wake() },
                tellOthers: { notifier.providersChanged() }),
            logger: logger, metrics: ProviderMetrics(metrics))
        let runner = JobRunner(
            handlers: Self.handlers(foundations, keeper: keeper, now: now), settler: ends, publisher: publisher,
            registry: registry,
            policy: policy,
            wake: wake, now: now, logger: logger, metrics: workerMetrics)
        let listener = PostgresListener(
            foundations.postgres.serving("listener"), channels: ["jobs", "cancel", "providers"], on: loops.loops[0],
            blocking: foundations.blocking,
            logger: logger, metrics: metrics,
            callbacks: PostgresListener.Callbacks(
                onNotification: { channel, payload in
                    if channel == WakeNotifier.jobsChannel {
                        // Another program's payload may be anything.
                        if let lane = Int16(payload).flatMap(Lane.init) { wakeUps.wake([lane]) } else { wakeUps.wake() }
                        keeper.lineChanged()
                    } else if channel == WakeNotifier.providersChannel {
                        keeper.changed()
                    } else if let lease = WakeNotifier.lease(from: payload) {
                        registry.abort(lease, .cancelled)
                    }
                },
                onConnected: {
                    keeper.changed()
                    wakeUps.wake()
                }))
        let worker = WorkerService(
            id: id,
            queue: ProtectedQueue(
                foundations.queue, keeper: keeper,
                chooser: ModelChooser(
                    store: foundations.providers, settings: foundations.settings,
                    fallback: foundations.models.fallbackID)), runner: runner, registry: registry,
            configuration: WorkerConfiguration(
                slots: configuration.workerSlots, shutdownGrace: configuration.shutdownGrace),
            loop: loops.loops[0], isListening: { listener.isHealthy },
            mayClaim: { heartbeat.mayClaim }, onDrain: { heartbeat.drain() }, logger: logger,
            metrics: workerMetrics)
        wakeUps.connect(worker)

        let rescuer = Rescuer(
            id: id, queue: foundations.queue, found: found, publisher: publisher, wake: wake, logger: logger,
            metrics: workerMetrics)
        let dueMover = DueMover(queue: foundations.queue, wake: wake, logger: logger)
        let frontKeeper = FrontKeeper(
            fronts: foundations.fronts, wake: { wakeUps.wake($0) }, logger: logger, metrics: metrics)
        let maintenance = MaintenanceService(
            database: foundations.database, queue: foundations.queue, eventRetention: configuration.eventRetention,
            jobRetention: configuration.jobRetention,
            wake: wake, announce: { publisher.announce($0) }, logger: logger, metrics: metrics)
        services = [publisher, ends, keeper, heartbeat, rescuer, listener, dueMover, frontKeeper, maintenance, worker]
    }

    private static func handlers(
        _ foundations: Foundations, keeper: ProviderKeeper, now: @escaping @Sendable () -> Timestamp
    ) -> [JobKind: any JobHandler] {
        let client = HTTPClient(
            group: foundations.loops,
            configuration: HTTPClientConfiguration(userAgent: "switchyard/\(Program.version)"),
            metrics: foundations.metrics)
        let configuration = foundations.configuration
        let services = ChatServices(
            sessions: SessionStore(database: foundations.database),
            messages: MessageStore(database: foundations.database), models: foundations.models,
            replies: ReplyStore(database: foundations.database, onChange: foundations.notifier.changed),
            settings: foundations.settings,
            providers: ProviderDirectory(
                [.local: LocalProvider(), .openAI: OpenAIProvider(client: client)],
                allowsPrivateAddresses: configuration.allowsPrivateProviders, keeper: keeper),
            counter: HeuristicTokenCounter(), catalogue: ModelCatalogue(),
            firstTokenLimit: configuration.providerFirstToken == configuration.providerIdle
                ? nil : configuration.providerFirstToken)
        return [
            .chat: ChatHandler(services: services, now: now), .title: TitleHandler(services: services),
            .noop: NoopHandler(now: now),
        ]
    }
}
