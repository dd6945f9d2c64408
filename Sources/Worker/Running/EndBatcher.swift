// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Persistence
package import Runtime
import Synchronization

/// Gathers ends of runs that change nothing but their own job into one statement; every other end passes through.
///
/// A statement is sent when ``batchSize`` ends wait, when the first of them waits for ``patience``, or when no other
/// run is left that could end. ``maximumFlights`` may be under way, so that one is worked on while another waits for
/// the disk; then the next batch gathers. Nothing is dropped: the ends that wait are bounded by the worker's slots, for
/// each is a run that holds one. Before it runs and after it was shut down, every end passes through.
package final class EndBatcher: RunSettler, Service {
    /// Ends that need not wait any longer.
    static let batchSize = 256
    /// The longest wait of the first end of a batch.
    static let patience: Duration = .milliseconds(5)
    /// The most that one statement takes.
    static let maximumSize = 1024
    /// The most statements at a time, each on a connection of the pool.
    static let maximumFlights = 2

    private typealias Answer = Result<Settlement, JobQueueError>

    private struct Waiting {
        let lease: Lease
        let result: [UInt8]?
        /// `nil`: it is to be settled by itself.
        let answer: CheckedContinuation<Answer?, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isOpen = false
        /// The batching task while it waits, and for what.
        var consumer: CheckedContinuation<Void, Never>?
        var wanted = Wanted.any
        /// The batch that gathers, and whether its first end has waited long enough.
        var batch = 0
        var isDue = false
        /// Statements under way, and the ends in them.
        var flights = 0
        var airborne = 0

        func isMet(_ runCount: () -> Int) -> Bool {
            guard flights < EndBatcher.maximumFlights else { return false }
            if !isOpen || isDue { return true }
            return switch wanted {
            case .any: !waiting.isEmpty
            case .batch: waiting.count >= EndBatcher.batchSize || waiting.count + airborne >= runCount()
            }
        }

        mutating func consumerIfMet(_ runCount: () -> Int) -> CheckedContinuation<Void, Never>? {
            consumer != nil && isMet(runCount) ? consumer.take() : nil
        }
    }

    /// What the batching task waits for.
    private enum Wanted {
        /// An end.
        case any
        /// As many as a statement is to have.
        case batch
    }

    /// For the log.
    package let name = "end-batcher"
    private let settler: any BatchSettler
    private let loop: EventLoop
    private let runCount: @Sendable () -> Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - settler: writes the ends.
    ///   - loop: where it batches.
    ///   - runCount: how many runs there are, those whose ends wait here among them; asked once an end.
    package init(settler: any BatchSettler, loop: EventLoop, runCount: @escaping @Sendable () -> Int) {
        self.settler = settler
        self.loop = loop
        self.runCount = runCount
    }

    /// Ends a run by itself or in a batch.
    ///
    /// - Throws: what the settler throws for it.
    package func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect
    ) async throws(JobQueueError) -> Settlement {
        guard case .completed(let result) = end, case .none = effect, events.isEmpty, job.serialKey == nil else {
            return try await settler.settle(job, end, events: events, effect: effect)
        }
        let answer: Answer? = await withContinuation { continuation in
            let (isTaken, consumer) = state.withLock { state in
                if state.isOpen {
                    state.waiting.append(Waiting(lease: job.lease, result: result, answer: continuation))
                }
                return (state.isOpen, state.consumerIfMet(runCount))
            }
            consumer?.resume()
            if !isTaken { continuation.resume(returning: nil) }
        }
        if let answer { return try answer.get() }
        return try await settler.settle(job, end, events: events, effect: effect)
    }

    /// Passes through.
    ///
    /// - Throws: what the settler throws.
    package func abandon(_ job: ClaimedJob, _ failure: JobFailure) async throws(JobQueueError) -> Rescue {
        try await settler.abandon(job, failure)
    }

    /// Batches until shut down; what waits then is still sent.
    package func run(_ shutdown: ShutdownSignal) async throws {
        state.withLock { $0.isOpen = true }
        shutdown.onTrigger { [weak self] in self?.close() }
        let home = LoopDomain(loop)
        await withTaskCancellationHandler {
            await home.run { await batch(on: home) }
        } onCancel: {
            close()
        }
    }

    private func batch(on home: isolated LoopDomain) async {
        // None of them is cancelled: whoever waits for an end is to hear what became of it.
        let flights = LoopTasks()
        while await gather() {
            let batch = take()
            flights.start(on: home) { [self] _ in await send(batch) }
        }
        await flights.waitForAll()
    }

    /// Ends that are in no batch yet.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Whether ends are batched.
    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// What waits now is still sent.
    private func close() {
        let consumer = state.withLock { state in
            state.isOpen = false
            return state.consumerIfMet(runCount)
        }
        consumer?.resume()
    }

    /// - Returns: false when it is closed and nothing is left.
    private func gather() async -> Bool {
        await wait(for: .any)
        let (count, batch, isOpen) = state.withLock { ($0.waiting.count, $0.batch, $0.isOpen) }
        if !isOpen { return count > 0 }
        if count < Self.batchSize {
            let deadline = ContinuousClock.now + Self.patience
            loop.execute { [self, loop] in _ = loop.schedule(at: deadline) { [self] in patienceEnded(batch) } }
            await wait(for: .batch)
        }
        return true
    }

    private func wait(for wanted: Wanted) async {
        await withContinuation { continuation in
            let consumer = state.withLock { state in
                state.wanted = wanted
                state.consumer = continuation
                return state.consumerIfMet(runCount)
            }
            consumer?.resume()
        }
    }

    private func patienceEnded(_ batch: Int) {
        let consumer = state.withLock { state in
            if state.batch == batch { state.isDue = true }
            return state.consumerIfMet(runCount)
        }
        consumer?.resume()
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            state.batch += 1
            state.isDue = false
            var taken = state.waiting
            if taken.count > Self.maximumSize {
                taken = Array(taken.prefix(Self.maximumSize))
                state.waiting.removeFirst(taken.count)
            } else {
                state.waiting = []
            }
            state.flights += 1
            state.airborne += taken.count
            return taken
        }
    }

    private func landed(_ count: Int) {
        let consumer = state.withLock { state in
            state.flights -= 1
            state.airborne -= count
            return state.consumerIfMet(runCount)
        }
        consumer?.resume()
    }

    private func send(_ batch: [Waiting]) async {
        defer { landed(batch.count) }
        do throws(JobQueueError) {
            let settled = try await settler.complete(batch.map { CompletedRun(lease: $0.lease, result: $0.result) })
            for (waiting, settlement) in zip(batch, settled) { waiting.answer.resume(returning: .success(settlement)) }
        } catch {
            // Whatever one of them is refused for must not hold up the others: each tries by itself.
            let isRefused = if case .failed = error { true } else { false }
            for waiting in batch { waiting.answer.resume(returning: isRefused ? nil : .failure(error)) }
        }
    }
}
