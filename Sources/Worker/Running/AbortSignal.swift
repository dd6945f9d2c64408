// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Why a run is ended from outside.
package enum AbortReason: Sendable, Hashable {
    /// Somebody cancelled the job.
    case cancelled
    /// The process is leaving; the job goes on elsewhere.
    case shutdown
    /// The lease is another's, or the worker could not prove that it lives: nothing may be written.
    case leaseLost
    /// The run took longer than it may.
    case deadline
}

/// The wish that one run end. The first reason counts, but for the loss of the lease, which overrides.
package final class AbortSignal: Sendable {
    private struct State {
        var reason: AbortReason?
        /// The run's work is done: there is nothing left to cancel.
        var isOver = false
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())

    /// Not aborted.
    package init() {}

    /// The reason in force, if any.
    package var reason: AbortReason? { state.withLock { $0.reason } }

    /// Gives a reason and cancels the run's task; later reasons change nothing.
    package func abort(_ reason: AbortReason) {
        state.withLock { state in
            if state.reason == nil || reason == .leaseLost { state.reason = reason }
            // Under the lock: once its work is done, the task writes the end and must not be cancelled for that.
            if !state.isOver { state.task?.cancel() }
        }
    }

    /// Names the task to cancel, which is cancelled at once when the wish came before it.
    func bind(_ task: Task<Void, Never>) {
        state.withLock { state in
            guard !state.isOver else { return }
            state.task = task
            if state.reason != nil { task.cancel() }
        }
    }

    /// The run's work is done: its task is not cancelled from here on.
    ///
    /// - Returns: why the run was to end before that, which decides what becomes of it.
    func runEnded() -> AbortReason? {
        state.withLock { state in
            state.isOver = true
            state.task = nil
            return state.reason
        }
    }
}
