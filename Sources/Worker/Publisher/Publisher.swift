// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
package import Runtime
import Synchronization

/// Writes what the runs of this process produce: one flush at a time, all streams in each.
///
/// Ends after its runs: when shut down it sends what is left first. Without a database it keeps what it has and
/// runs wait at their limit, so memory stays bounded and nothing is dropped.
package final class Publisher: Service {
    private struct State {
        var machine = PublisherMachine()
        /// Runs that wait for a flush, each with a number so that it can give up.
        var waiters: [JobID: [Int: CheckedContinuation<Void, Never>]] = [:]
        var nextWaiter = 0
        /// The time of the next flush is set, and only what is urgent changes it.
        var isResting = false

        mutating func takeWaiters(_ job: JobID) -> [CheckedContinuation<Void, Never>] {
            waiters.removeValue(forKey: job).map { Array($0.values) } ?? []
        }
    }

    /// A run with more unsent bytes than this waits.
    private static let pendingLimitBytes = 256 * 1024

    /// See `Service`.
    package let name = "publisher"
    private let appender: any EventAppender
    private let loop: EventLoop
    private let interval: Duration
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private let metrics: PublisherMetrics
    private let state = Mutex(State())
    private let wake = BoundedChannel<Void>(capacity: 1)

    /// Starts nothing yet: ``run(_:)`` does.
    ///
    /// - Parameters:
    ///   - appender: the log, over a connection that nobody else uses.
    ///   - loop: where timers run.
    ///   - interval: least time between the beginnings of two flushes (`PUBLISH_INTERVAL_MS`).
    ///   - now: the database's clock as this process knows it.
    ///   - logger: told of lost leases and refused events.
    ///   - metrics: flushes, their size and time, lost streams.
    package init(
        appender: any EventAppender, loop: EventLoop, interval: Duration, now: @escaping @Sendable () -> Timestamp,
        logger: Logger, metrics: MetricsRegistry
    ) {
        self.appender = appender
        self.loop = loop
        self.interval = interval
        self.now = now
        self.logger = logger
        self.metrics = PublisherMetrics(metrics)
    }

    /// Begins the stream of a claimed run; a held one shows nothing before ``release(_:)``.
    package func open(_ lease: Lease, isHeld: Bool = false) -> RunStream {
        begin(lease, isHeld: isHeld)
        return RunStream(lease: lease, publisher: self, isOpen: true)
    }

    /// The stream of a claimed run that nobody waits for: it begins with its first event.
    func stream(of lease: Lease) -> RunStream { RunStream(lease: lease, publisher: self, isOpen: false) }

    func begin(_ lease: Lease, isHeld: Bool = false) {
        let stamp = now()
        change([lease.job]) { $0.open(lease, at: stamp, isHeld: isHeld) }
    }

    /// Lets streams go whose leases are durable now.
    func release(_ leases: [Lease]) {
        state.withLock { state in
            for lease in leases { state.machine.release(lease) }
        }
        _ = wake.send(())
    }

    /// Tells readers of events that a transaction has stored already.
    package func announce(_ events: [StampedEvent]) {
        state.withLock { $0.machine.announce(events) }
        _ = wake.send(())
    }

    /// See `Service`. Shut down, it sends what is left first, for as long as that takes; cancelled, it drops it.
    package func run(_ shutdown: ShutdownSignal) async throws {
        // On the loop of its connection: a flush changes no thread.
        let home = LoopDomain(loop)
        await home.run { await flushUntilStopped(shutdown, on: home) }
    }

    private func flushUntilStopped(_ shutdown: ShutdownSignal, on home: isolated LoopDomain) async {
        let wake = wake
        shutdown.onTrigger { _ = wake.send(()) }
        var lastFlush = ContinuousClock.now - interval
        while true {
            if Task.isCancelled { return }
            let (hasWork, isUrgent) = state.withLock { ($0.machine.hasWork, $0.machine.hasUrgentWork) }
            if !hasWork {
                if shutdown.isTriggered { return }
                _ = await wake.nextBatch()
                continue
            }
            let due = lastFlush + interval
            if !isUrgent && ContinuousClock.now < due {
                await rest(until: due, on: home)
                continue
            }
            lastFlush = .now
            let stamp = now()
            let (flush, pace) = state.withLock { ($0.machine.beginFlush(at: stamp), $0.machine.pace.take()) }
            metrics.paced(pace)
            if let flush { await send(flush) }
        }
    }

    /// Tokens that come meanwhile wake nobody.
    private func rest(until due: ContinuousClock.Instant, on home: isolated LoopDomain) async {
        let isUrgent = state.withLock { state in
            state.isResting = true
            return state.machine.hasUrgentWork
        }
        if !isUrgent {
            let timer = home.loop.schedule(at: due) { [wake] in _ = wake.send(()) }
            _ = await wake.nextBatch()
            home.loop.cancel(timer)
        }
        state.withLock { $0.isResting = false }
    }

    // MARK: One flush

    private func send(_ flush: PublisherMachine.Flush) async {
        let began = ContinuousClock.now
        do throws(EventAppendError) {
            let live = try await appender.append(flush.events, announcing: flush.announcements)
            metrics.flushed(flush, took: began.duration(to: .now))
            acknowledge(flush, live: live)
        } catch {
            switch error {
            case .refused(let code): await sendHalves(of: flush, code: code)
            case .connectionLost, .cancelled: await fail(flush)
            }
        }
    }

    private func fail(_ flush: PublisherMachine.Flush) async {
        change(Set(flush.events.map(\.job))) { $0.fail(flush) }
        await resynchronize()
    }

    /// A flush that holds a bad event is halved until the event is alone; only its job fails.
    private func sendHalves(of flush: PublisherMachine.Flush, code: String) async {
        var stored = Set<JobID>()
        var pieces = flush.events.isEmpty ? [] : [flush.events[...]]
        if !flush.announcements.isEmpty { pieces.append([]) }
        while let piece = pieces.popLast() {
            do throws(EventAppendError) {
                let announcements = piece.isEmpty ? flush.announcements : []
                stored.formUnion(try await appender.append(Array(piece), announcing: announcements))
            } catch {
                guard case .refused = error else { return await fail(flush) }
                if piece.count <= 1 {
                    guard let bad = piece.first else { continue }
                    state.withLock { $0.machine.reject(bad) }
                    logger.error("event refused by the database", [.jobID: "\(bad.job)", .errorCode: "\(code)"])
                    pieces = pieces.map { $0.filter { $0.job != bad.job }[...] }.filter { !$0.isEmpty }
                } else {
                    let middle = piece.startIndex + piece.count / 2
                    pieces.append(piece[middle...])
                    pieces.append(piece[..<middle])
                }
            }
        }
        acknowledge(flush, live: stored)
    }

    private func acknowledge(_ flush: PublisherMachine.Flush, live: Set<JobID>) {
        var lost: [JobID] = []
        change(Set(flush.events.map(\.job))) { lost = $0.acknowledge(flush, live: live) }
        metrics.staleStreams.increment(by: lost.count)
        for job in lost { logger.warning("lease lost while streaming", [.jobID: "\(job)"]) }
    }

    /// Changes the machine and lets the runs look again that wait for it.
    private func change(_ jobs: Set<JobID>, _ body: (inout PublisherMachine) -> Void) {
        let waiters = state.withLock { state in
            body(&state.machine)
            return jobs.flatMap { state.takeWaiters($0) }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Until the database says what it has of every open stream, nothing new is written.
    private func resynchronize() async {
        let backoff = Backoff(base: .milliseconds(20), cap: .seconds(1))
        var attempt = 0
        while !Task.isCancelled {
            let leases = state.withLock { $0.machine.openLeases }
            do throws(EventAppendError) {
                let stored = try await appender.lastSequences(of: leases)
                change(Set(leases.map(\.job))) { $0.resynchronize(stored: stored) }
                metrics.resynchronizations.increment()
                return
            } catch {
                if case .cancelled = error { return }
                attempt += 1
                do { try await ContinuousClock().sleep(for: backoff.delay(attempt: attempt)) } catch { return }
            }
        }
    }

    // MARK: For RunStream

    func append(_ event: StreamEvent, to lease: Lease) async throws(StreamLost) {
        let stamp = now()
        let (appended, wakes) = state.withLock { state in
            (state.machine.append(event, to: lease, at: stamp), !state.isResting || state.machine.hasUrgentWork)
        }
        if wakes { _ = wake.send(()) }
        guard case .pending(let bytes) = appended else { throw StreamLost() }
        if bytes <= Self.pendingLimitBytes { return }
        await wait(for: lease.job) { $0.pendingBytes(of: lease) > Self.pendingLimitBytes }
    }

    /// A cancelled task gets a lost stream: it does not wait and may not write.
    func take(_ lease: Lease) async -> TakenStream {
        while !Task.isCancelled {
            let stamp = now()
            if let taken = state.withLock({ $0.machine.take(lease, at: stamp) }) { return taken }
            await wait(for: lease.job) { $0.isInFlight(lease) }
        }
        return .lost(lease)
    }

    func close(_ lease: Lease) {
        change([lease.job]) { $0.close(lease) }
    }

    /// Returns when the condition no longer holds, looked at again after each change of the job's stream, or
    /// when the task is cancelled.
    private func wait(for job: JobID, while condition: @Sendable (PublisherMachine) -> Bool) async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        while !Task.isCancelled && state.withLock({ condition($0.machine) }) {
            await withCancellationHandler {
                await withContinuation { continuation in
                    let goOn = state.withLock { state in
                        if Task.isCancelled || !condition(state.machine) { return true }
                        state.waiters[job, default: [:]][number] = continuation
                        return false
                    }
                    if goOn { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiters[job]?.removeValue(forKey: number) }?.resume()
            }
        }
    }
}
