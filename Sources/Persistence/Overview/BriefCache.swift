// SPDX-License-Identifier: Apache-2.0
import Runtime
import Synchronization

/// Keeps an answer for a second, and lets one caller at a time ask for a new one, whatever the number of those who want
/// it: however often somebody looks, the database is asked once a second.
///
/// Concurrency: any task. Callers that wait get the answer of the one that asks, its error too; their number is bounded
/// by that of the requests under way.
final class BriefCache<Value: Sendable>: Sendable {
    typealias Answer = Result<Value, PersistenceError>

    private struct State {
        var kept: (value: Value, since: ContinuousClock.Instant)?
        /// Rises when what was read before is to be forgotten.
        var epoch = 0
        /// Those who wait for the answer of an epoch that somebody asks for.
        var waiters: [Int: [CheckedContinuation<Answer?, Never>]] = [:]
    }

    private let lifetime: Duration
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())

    init(
        lifetime: Duration = .seconds(1), now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.lifetime = lifetime
        self.now = now
    }

    /// Callers that wait for the answer of another.
    var waiterCount: Int { state.withLock { state in state.waiters.values.reduce(0) { $0 + $1.count } } }

    /// The kept answer, or a new one. A body under way must not be cancelled with its caller: others wait for it.
    func value(
        _ read: () async throws(PersistenceError) -> Value
    ) async throws(PersistenceError) -> Value {
        let began = now()
        let epoch = state.withLock { $0.epoch }
        let answer: Answer? = await withContinuation { continuation in
            let answer: Answer?? = state.withLock { state in
                if let kept = state.kept, began - kept.since < lifetime { return .some(.success(kept.value)) }
                if state.waiters[epoch] != nil {
                    state.waiters[epoch]?.append(continuation)
                    return nil
                }
                state.waiters[epoch] = []
                return .some(nil)
            }
            if let answer { continuation.resume(returning: answer) }
        }
        if let answer { return try answer.get() }
        let fresh: Answer
        do throws(PersistenceError) { fresh = .success(try await read()) } catch { fresh = .failure(error) }
        let waiters = state.withLock { state in
            if case .success(let value) = fresh, state.epoch == epoch { state.kept = (value, began) }
            return state.waiters.removeValue(forKey: epoch) ?? []
        }
        for waiter in waiters { waiter.resume(returning: fresh) }
        return try fresh.get()
    }

    /// What was read before this is not returned after it.
    func forget() {
        state.withLock { state in
            state.kept = nil
            state.epoch += 1
        }
    }
}
