// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Persistence
package import Runtime
import Synchronization

/// Gathers ends of runs that change nothing but their own job into one statement; every other end passes through.
///
/// A statement is sent when ``batchSize`` ends wait or the first of them waits for ``patience``, one at a time: while
/// it is under way the next batch gathers. Nothing is dropped: the ends that wait are bounded by the worker's slots,
/// for each is a run that holds one. Before it runs and after it was shut down, every end passes through.
package final class EndBatcher: RunSettler, Service {
    /// Ends that need not wait any longer.
    static let batchSize = 256
    /// The longest wait of the first end of a batch.
    static let patience: Duration = .milliseconds(5)
    /// The most that one statement takes.
    static let maximumSize = 1024

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
        /// The batching task while it waits, and for how many ends.
        var consumer: CheckedContinuation<Void, Never>?
        var wanted = 1
        /// The batch that gathers, and whether its first end has waited long enough.
        var batch = 0
        var isDue = false

        var isMet: Bool { !isOpen || isDue || waiting.count >= wanted }
        mutating func consumerIfMet() -> CheckedContinuation<Void, Never>? { isMet ? consumer.take() : nil }
    }

    /// For the log.
    package let name = "end-batcher"
    private let settler: any BatchSettler
    private let loop: EventLoop
    private let state = Mutex(State())

    /// - Parameters:
    ///   - settler: writes the ends.
    ///   - loop: where it batches.
    package init(settler: any BatchSettler, loop: EventLoop) {
        self.settler = settler
        self.loop = loop
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
                return (state.isOpen, state.consumerIfMet())
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
        await withTaskCancellationHandler {
            await LoopDomain(loop).run { while await gather() { await send(take()) } }
        } onCancel: {
            close()
        }
    }

    /// Whether ends are batched.
    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// What waits now is still sent.
    private func close() {
        let consumer = state.withLock { state in
            state.isOpen = false
            return state.consumerIfMet()
        }
        consumer?.resume()
    }

    /// - Returns: false when it is closed and nothing is left.
    private func gather() async -> Bool {
        await wait(for: 1)
        let (count, batch, isOpen) = state.withLock { ($0.waiting.count, $0.batch, $0.isOpen) }
        if !isOpen { return count > 0 }
        if count < Self.batchSize {
            let deadline = ContinuousClock.now + Self.patience
            loop.execute { [self, loop] in _ = loop.schedule(at: deadline) { [self] in patienceEnded(batch) } }
            await wait(for: Self.batchSize)
        }
        return true
    }

    private func wait(for count: Int) async {
        await withContinuation { continuation in
            let consumer = state.withLock { state in
                state.wanted = count
                state.consumer = continuation
                return state.consumerIfMet()
            }
            consumer?.resume()
        }
    }

    private func patienceEnded(_ batch: Int) {
        let consumer = state.withLock { state in
            if state.batch == batch { state.isDue = true }
            return state.consumerIfMet()
        }
        consumer?.resume()
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            state.batch += 1
            state.isDue = false
            let taken = Array(state.waiting.prefix(Self.maximumSize))
            state.waiting.removeFirst(taken.count)
            return taken
        }
    }

    private func send(_ batch: [Waiting]) async {
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
