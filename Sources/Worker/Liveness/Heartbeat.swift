// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
package import Persistence
package import Runtime
import Synchronization

/// Proves that this worker lives, finds those that do not, and compares what it holds with the database.
///
/// Runs on a thread of its own over a blocking connection. It beats only while every loop answered a probe within
/// ``probeLimit``: a process whose loops hang is as dead as a killed one. When no beat went through for
/// ``fenceAfter`` it aborts its own runs: others will have taken them, and the lease numbers keep the data safe
/// in any case; fencing itself only bounds the waste.
package final class Heartbeat: Service {
    private static let tick: Duration = .milliseconds(500)
    private static let probeLimit: Duration = .seconds(5)
    private static let fenceAfter: Duration = .seconds(10)
    /// Others take a worker for dead when its connection is gone and no beat comes for 1.5 seconds.
    private static let claimWithin: Duration = .seconds(2)

    private struct State {
        var isDraining = false
        var isStopping = false
        var probes: [ContinuousClock.Instant]
        /// When the last beat that went through was sent.
        var lastBeat: ContinuousClock.Instant?
    }

    /// See `Service`.
    package let name = "heartbeat"
    private let connect: @Sendable () throws -> WorkerPulse
    private let onRevival: @Sendable () -> Void
    private let loops: [EventLoop]
    private let registry: RunRegistry
    private let found: BoundedChannel<Finding>
    private let logger: Logger
    private let metrics: WorkerMetrics
    private let state: Mutex<State>

    /// What the thread found, to be acted upon outside it.
    package enum Finding: Sendable {
        /// A worker is dead: its jobs are to be rescued.
        case dead(WorkerID)
        /// A lease of ours that no run explains.
        case unknown(Lease)
    }

    /// Starts nothing yet: ``run(_:)`` does.
    ///
    /// - Parameters:
    ///   - loops: all that runs of this process use; each has to answer for a beat to be sent.
    ///   - registry: the runs of this process, compared with what the database holds for it.
    ///   - found: where findings go; when it is full they are found again at the next look.
    ///   - logger: told of lost connections and of fencing.
    ///   - metrics: counts fencings, and knows what ended lately.
    ///   - onRevival: told of a beat after which jobs may be claimed, when they could not before it.
    ///   - connect: makes the blocking connection; called again after each loss.
    package init(
        loops: [EventLoop], registry: RunRegistry, found: BoundedChannel<Finding>, logger: Logger,
        metrics: WorkerMetrics, onRevival: @escaping @Sendable () -> Void,
        connect: @escaping @Sendable () throws -> WorkerPulse
    ) {
        self.loops = loops
        self.registry = registry
        self.found = found
        self.logger = logger
        self.metrics = metrics
        self.connect = connect
        self.onRevival = onRevival
        state = Mutex(State(probes: loops.map { _ in .now }))
    }

    /// Whether a beat went through lately, so that nobody holds this worker for dead: what is lent to a living worker may
    /// be used. False at the same moment at which the runs are aborted.
    package var isFresh: Bool {
        state.withLock { $0.lastBeat }.map { ContinuousClock.now - $0 < Self.fenceAfter } ?? false
    }

    /// Whether a beat went through so lately that others do not take what is claimed now for a dead worker's: three such
    /// rescues, and a job is given up as poison.
    package var mayClaim: Bool {
        state.withLock { $0.lastBeat }.map { ContinuousClock.now - $0 < Self.claimWithin } ?? false
    }

    /// Shows in the worker's row that it takes no new jobs.
    package func drain() {
        state.withLock { $0.isDraining = true }
    }

    /// See `Service`. Shut down, it takes the worker's row away, which others see at their next look.
    package func run(_ shutdown: ShutdownSignal) async throws {
        let ended = ShutdownSignal()
        let thread = try SystemThread(name: "heartbeat") { [self] in
            beatUntilStopped()
            ended.trigger()
        }
        await withTaskCancellationHandler {
            await shutdown.wait()
        } onCancel: {
            shutdown.trigger()
        }
        state.withLock { $0.isStopping = true }
        await ended.wait()
        if !Task.isCancelled { thread.join() }
    }

    // MARK: On the thread

    private func beatUntilStopped() {
        var observation = WorkerObservation()
        var lastBeat = ContinuousClock.now
        var isFenced = false
        while !isStopping {
            do {
                var pulse = try connect()
                observation.reset()
                while !isStopping {
                    if loopsAnswer() {
                        try beat(&pulse)
                        lastBeat = .now
                        isFenced = false
                    }
                    fence(since: lastBeat, &isFenced)
                    let workers = try pulse.observe()
                    for worker in observation.observe(workers, at: .now) { _ = found.send(.dead(worker)) }
                    pause(Self.tick)
                }
                try pulse.leave()
            } catch {
                if isStopping { return }
                logger.warning("the heartbeat's connection failed", [.errorDetail: "\(error)"])
                fence(since: lastBeat, &isFenced)
                pause(.milliseconds(200))
            }
        }
    }

    private func beat(_ pulse: inout WorkerPulse) throws {
        let mark = registry.claimMark()
        let sent = ContinuousClock.now
        let held = try pulse.beat(
            isDraining: state.withLock { $0.isDraining }, recent: metrics.tally.recent(at: sent))
        let wasAway = !mayClaim
        state.withLock { $0.lastBeat = sent }
        if wasAway { onRevival() }
        for lease in held where lease.isCancelRequested { registry.abort(lease.lease, .cancelled) }
        registry.abortLost(held: held.map(\.lease), since: mark)
        for lease in registry.unknown(among: held.map(\.lease), since: mark) { _ = found.send(.unknown(lease)) }
    }

    private func fence(since lastBeat: ContinuousClock.Instant, _ isFenced: inout Bool) {
        guard !isFenced, ContinuousClock.now - lastBeat >= Self.fenceAfter else { return }
        isFenced = true
        guard registry.count > 0 else { return }
        metrics.selfFences.increment()
        logger.error("no beat went through: all runs are aborted", [.count: "\(registry.count)"])
        registry.abortAll(.leaseLost)
    }

    /// Sends each loop a probe and looks at when the last one was answered.
    private func loopsAnswer() -> Bool {
        for (index, loop) in loops.enumerated() {
            loop.execute { [self] in state.withLock { $0.probes[index] = .now } }
        }
        let oldest = state.withLock { $0.probes.min() } ?? .now
        return ContinuousClock.now - oldest < Self.probeLimit
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Short enough that a stop is not late.
    private func pause(_ duration: Duration) {
        SystemThread.sleep(for: duration)
    }
}
