// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
package import Persistence
package import Runtime
import Synchronization

/// Keeps a process within what all processes together may ask of each provider: draws permits for its calls, tells the
/// others of blocks and failures, and learns of theirs.
///
/// A call of a configuration without limits looks at the ``ProviderBoard`` in memory and nothing else. Statements are
/// made by this service's own tasks, never by a call's, so that a call that is cancelled leaves none half made. What
/// waits to be done is bounded by ``workCapacity``: beyond it calls are refused and reports dropped.
package final class ProviderKeeper: Service {
    enum Work: Sendable {
        case draw(ModelID, isTick: Bool)
        case failed(ModelID)
        case succeeded(ModelID)
        case probeLetGo(ModelID)
        case block(ModelID, Duration, ErrorCode)
        case refresh
        case lookAtLine
    }

    struct State {
        var pools: [ModelID: PermitPool] = [:]
        /// As they were resolved last, for rows that have to be made, and the label of each in metrics.
        var known: [ModelID: (limits: ProviderLimits, label: String)] = [:]
        var callers:
            [PermitPool.Caller: CheckedContinuation<Result<PermitPool.UsablePermit, PermitPool.Refusal>, Never>] =
                [:]
        var nextCaller: PermitPool.Caller = 1
        var isLookDue = false
        var isRefreshDue = false
        /// Labels whose gauges were set at the last refresh.
        var shown: Set<String> = []
        var lastRefresh: ContinuousClock.Instant?
        var lastLook: ContinuousClock.Instant?
        var isOpen = true
    }

    /// What the service is told and asked from outside.
    package struct Surroundings: Sendable {
        /// Whether this process has beaten lately: without that it may not use places for calls at once.
        package var isBeating: @Sendable () -> Bool
        /// Slots of this process that run nothing.
        package var freeSlots: @Sendable () -> Int
        /// There may be jobs that can be claimed now, of a limited provider or behind those of a blocked one.
        package var wakeWorker: @Sendable () -> Void
        /// Every process is to read `providers` again.
        package var tellOthers: @Sendable () -> Void

        /// See the properties.
        package init(
            isBeating: @escaping @Sendable () -> Bool, freeSlots: @escaping @Sendable () -> Int,
            wakeWorker: @escaping @Sendable () -> Void, tellOthers: @escaping @Sendable () -> Void
        ) {
            self.isBeating = isBeating
            self.freeSlots = freeSlots
            self.wakeWorker = wakeWorker
            self.tellOthers = tellOthers
        }
    }

    private static let workCapacity = 8192
    private static let maximumKnown = 10_000
    static let refreshInterval: Duration = .seconds(3)
    static let lookInterval: Duration = .seconds(1)

    /// For the log.
    package let name = "provider-keeper"
    /// What is known of providers.
    package let board = ProviderBoard()
    let store: ProviderStore
    let id: WorkerID
    let rules: BudgetRules
    let policy: RetryPolicy
    let surroundings: Surroundings
    let logger: Logger
    let metrics: ProviderMetrics
    let state = Mutex(State())
    let work = BoundedChannel<Work>(capacity: ProviderKeeper.workCapacity)

    /// Starts nothing yet: ``run(_:)`` does.
    ///
    /// - Parameters:
    ///   - store: the rows.
    ///   - id: under which places for calls at once are held; the worker's, for its beat proves that it lives.
    ///   - rules: of budgets, the same as the store's.
    ///   - policy: how long a block is that the provider does not say, and the longest that it may ask for.
    ///   - surroundings: the rest of the process.
    ///   - logger: told of blocks, breakers and statements that failed.
    ///   - metrics: budgets, blocks, breakers.
    package init(
        store: ProviderStore, id: WorkerID, rules: BudgetRules, policy: RetryPolicy, surroundings: Surroundings,
        logger: Logger, metrics: ProviderMetrics
    ) {
        self.store = store
        self.id = id
        self.rules = rules
        self.policy = policy
        self.surroundings = surroundings
        self.logger = logger
        self.metrics = metrics
    }

    /// See `Service`. Shut down, it gives everything back and ends; calls that still wait are refused.
    package func run(_ shutdown: ShutdownSignal) async throws {
        shutdown.onTrigger { [work] in work.finish() }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tickUntilStopped(shutdown) }
            enqueue(.refresh)
            while true {
                let batch = await work.nextBatch()
                if batch.isEmpty { break }
                for item in batch { group.addTask { await self.perform(item) } }
            }
        }
        let callers = state.withLock { state in
            state.isOpen = false
            defer { state.callers = [:] }
            return state.callers.values
        }
        for caller in callers { caller.resume(returning: .failure(PermitPool.Refusal(shortage: nil, wait: .zero))) }
        do throws(PersistenceError) { try await store.leave(id) } catch {
            // The others find out by its silence.
            logger.warning("places for provider calls could not be given back", [.errorDetail: "\(error)"])
        }
    }

    /// A notification says that `providers` has changed.
    package func changed() {
        if state.withLock({ state in
            defer { state.isRefreshDue = true }
            return state.isRefreshDue
        }) {
            return
        }
        enqueue(.refresh)
    }

    /// The line may have changed: jobs of limited providers may have come, or slots have become free.
    package func lineChanged() {
        if board.gates.isEmpty { return }
        if state.withLock({ state in
            defer { state.isLookDue = true }
            return state.isLookDue
        }) {
            return
        }
        enqueue(.lookAtLine)
    }

    /// What does not fit is dropped: a look is repeated in time, and a caller is refused by whoever asked for it.
    @discardableResult
    func enqueue(_ item: Work) -> Bool { work.send(item) == .accepted }

    func label(_ model: ModelID) -> String { state.withLock { $0.known[model]?.label ?? ProviderMetrics.personal } }

    /// Remembers what a configuration was resolved to; the oldest knowledge is dropped when there is too much.
    func know(_ model: ResolvedModel) {
        let isPersonal = if case .personal = model.configuration.scope { true } else { false }
        state.withLock { state in
            if state.known.count >= Self.maximumKnown { state.known = [:] }
            state.known[model.id] =
                (model.fields.limits, isPersonal ? ProviderMetrics.personal : model.id.description)
            state.pools[model.id]?.limits = model.fields.limits
        }
    }

    private func tickUntilStopped(_ shutdown: ShutdownSignal) async {
        var observation = PlaceObservation()
        var lastLook: ContinuousClock.Instant?
        while !shutdown.isTriggered && !Task.isCancelled {
            await shutdown.wait(atMost: max(rules.slotWidth, .milliseconds(20)))
            if shutdown.isTriggered || Task.isCancelled { return }
            tick()
            if let last = lastLook, last.duration(to: .now) < .seconds(1) { continue }
            lastLook = .now
            await lookAtHolders(&observation)
        }
    }

    private func tick() {
        let now = ContinuousClock.now
        let (models, isStale, mayLook) = state.withLock { state in
            for model in Array(state.pools.keys) {
                state.pools[model]?.tick(at: now)
                if state.pools[model]?.isIdle == true { state.pools[model] = nil }
            }
            return (
                Array(state.pools.keys), state.lastRefresh.map { now - $0 >= Self.refreshInterval } ?? true,
                state.lastLook.map { now - $0 >= Self.lookInterval } ?? true
            )
        }
        for model in models { enqueue(.draw(model, isTick: true)) }
        if isStale { changed() }
        if mayLook { lineChanged() }
    }

    /// Compares what this process has with what the rows say, and gives back what the dead had.
    private func lookAtHolders(_ observation: inout PlaceObservation) async {
        let marks = state.withLock { state in
            state.pools.filter { $0.value.limits.maximumConcurrent != nil }.mapValues(\.drawMark)
        }
        let isConcerned = !marks.isEmpty || board.gates.contains { $0.limits.maximumConcurrent != nil }
        guard isConcerned else { return observation.reset() }
        do throws(PersistenceError) {
            let holders = try await store.holders()
            reconcile(holders.filter { $0.worker == id }, marks)
            let silent = observation.observe(holders.filter { $0.worker != id }, at: .now)
            for (worker, beat) in silent {
                guard try await store.release(worker, unlessBeatenSince: beat) else { continue }
                metrics.releasedHolders.increment()
                logger.warning("a dead worker's places for provider calls are free", [.reason: "\(worker)"])
                surroundings.tellOthers()
                lineChanged()
            }
        } catch {
            observation.reset()
            logger.warning("the holders of provider places could not be read", [.errorDetail: "\(error)"])
        }
    }

    private func reconcile(_ own: [PlaceHolder], _ marks: [ModelID: Int]) {
        state.withLock { state in
            for (model, mark) in marks {
                state.pools[model]?.held(own.first { $0.model == model }?.places ?? 0, since: mark)
            }
            for holder in own where state.pools[holder.model] == nil {
                // Of a draw whose answer was lost: the next tick gives them back.
                var pool = PermitPool(limits: ProviderLimits(maximumConcurrent: 1), rules: rules)
                pool.held(holder.places, since: pool.drawMark)
                state.pools[holder.model] = pool
            }
        }
    }
}
