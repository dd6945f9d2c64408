// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// A few threads for calls that block (name resolution, password hashes, PQcancel), with a bounded line.
///
/// A call that is waiting can be cancelled; one that has begun runs to its end.
package final class BlockingPool: Sendable {
    /// Why a call did not begin.
    package enum Refusal: Error, Sendable {
        /// `queueLimit` calls are waiting already.
        case full
    }

    private struct Waiting {
        let number: UInt64
        let begin: @Sendable () -> Void
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var active = 0
        var nextNumber: UInt64 = 0
        var waiting: [Waiting] = []
    }

    private let queue = DispatchQueue(label: "switchyard.blocking", attributes: .concurrent)
    private let state = Mutex(State())
    private let threadCount: Int
    private let queueLimit: Int

    /// - Parameters:
    ///   - threadCount: calls that run at once.
    ///   - queueLimit: calls that may wait; one more is refused with ``Refusal/full``.
    package init(threadCount: Int, queueLimit: Int) {
        self.threadCount = threadCount
        self.queueLimit = queueLimit
    }

    /// Runs a blocking body on one of the pool's threads.
    ///
    /// - Throws: the body's error, ``Refusal/full``, or `CancellationError` when cancelled while waiting.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
                let call = Waiting(
                    number: number,
                    begin: { continuation.resume(with: Result { try body() }) },
                    cancel: { continuation.resume(throwing: CancellationError()) })
                submit(call, refuse: { continuation.resume(throwing: Refusal.full) })
                // A cancellation that came before the call was in line found nothing to remove.
                if Task.isCancelled { cancel(number) }
            }
        } onCancel: {
            cancel(number)
        }
    }

    /// Runs a blocking body that nobody waits for, such as a message to another server.
    ///
    /// - Returns: false when the line is full; the body is not run then.
    package func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        var begun = true
        submit(Waiting(number: number, begin: body, cancel: {}), refuse: { begun = false })
        return begun
    }

    private enum Admission { case start, wait, refuse }

    private func submit(_ call: Waiting, refuse: () -> Void) {
        let admission = state.withLock { state -> Admission in
            if state.active < threadCount {
                state.active += 1
                return .start
            }
            if state.waiting.count >= queueLimit { return .refuse }
            state.waiting.append(call)
            return .wait
        }
        switch admission {
        case .start: queue.async { self.drain(first: call) }
        case .wait: break
        case .refuse: refuse()
        }
    }

    private func drain(first: Waiting) {
        var next: Waiting? = first
        while let call = next {
            call.begin()
            next = state.withLock { state in
                if state.waiting.isEmpty {
                    state.active -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
        }
    }

    private func cancel(_ number: UInt64) {
        let call = state.withLock { state -> Waiting? in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        call?.cancel()
    }
}
