// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Tasks that begin on a loop. A child of a task group begins on the global pool and has to come over: two changes of
/// thread for each, which is most of what a short job costs.
///
/// As in a group, nobody outlives their owner: it waits for all before it returns, and when it is cancelled, so are they.
package final class LoopTasks: Sendable {
    private struct State {
        var tasks: [UInt64: Task<Void, Never>] = [:]
        var lastNumber: UInt64 = 0
        var isCancelled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// None.
    package init() {}

    /// Starts a body in the loop's next turn; it stays there. One that is started after the cancellation begins
    /// cancelled.
    ///
    /// The body is given the loop it runs on: one without would go to the global pool and back after each call of
    /// something that is isolated to the loop.
    ///
    /// - Returns: the task, for whoever may have to cancel it alone.
    @discardableResult
    package func start(
        on home: isolated LoopDomain, _ body: @escaping @Sendable (isolated LoopDomain) async -> Void
    ) -> Task<Void, Never> {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let task = Task {
            home.loop.preconditionCurrent()
            await body(home)
            self.ended(number)
        }
        // It cannot have ended: this thread is the one that it runs on.
        let isCancelled = state.withLock { state in
            state.tasks[number] = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
        return task
    }

    /// Returns when none is left. Cancelled, it cancels them all and still waits for them.
    package func waitForAll() async {
        await withCancellationHandler {
            await withCheckedContinuation { continuation in
                let isEmpty = state.withLock { state in
                    precondition(state.waiter == nil, "tasks of a loop have one owner")
                    if !state.tasks.isEmpty { state.waiter = continuation }
                    return state.tasks.isEmpty
                }
                if isEmpty { continuation.resume() }
            }
        } onCancel: {
            let tasks = state.withLock { state in
                state.isCancelled = true
                return Array(state.tasks.values)
            }
            for task in tasks { task.cancel() }
        }
    }

    private func ended(_ number: UInt64) {
        let waiter = state.withLock { state in
            state.tasks[number] = nil
            return state.tasks.isEmpty ? state.waiter.take() : nil
        }
        waiter?.resume()
    }
}
