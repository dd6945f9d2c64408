// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The wish that a service end in order. Distinct from cancellation, which ends it at once.
package final class ShutdownSignal: Sendable {
    private struct State {
        var triggered = false
        var nextNumber = 0
        var waiters: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Not triggered; it can be triggered once and never taken back.
    package init() {}

    /// For loops that look between two steps; ``wait()`` is for those that sleep.
    package var isTriggered: Bool { state.withLock { $0.triggered } }

    /// Tells everyone who waits, once.
    package func trigger() {
        let waiters = state.withLock { state in
            state.triggered = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter() }
    }

    /// Runs a body when the signal is triggered (on the triggering thread), at once when it already is.
    ///
    /// - Returns: a number for ``forget(_:)``.
    @discardableResult
    package func onTrigger(_ body: @escaping @Sendable () -> Void) -> Int {
        let number = state.withLock { state -> Int? in
            if state.triggered { return nil }
            state.nextNumber += 1
            state.waiters[state.nextNumber] = body
            return state.nextNumber
        }
        guard let number else {
            body()
            return 0
        }
        return number
    }

    /// Takes a body back that has not run.
    package func forget(_ number: Int) {
        _ = state.withLock { $0.waiters.removeValue(forKey: number) }
    }

    /// Returns when triggered, or when the task is cancelled.
    package func wait() async {
        let latch = Latch()
        let number = onTrigger { latch.open() }
        await withCancellationHandler {
            await latch.wait()
        } onCancel: {
            latch.open()
        }
        forget(number)
    }

    /// Returns when triggered, cancelled, or after a time: the pause of a periodic service.
    package func wait(atMost duration: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask {
                // Cancelled means the pause is over.
                do { try await ContinuousClock().sleep(for: duration) } catch { return }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
