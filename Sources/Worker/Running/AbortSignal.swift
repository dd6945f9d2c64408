// SPDX-License-Identifier: Apache-2.0
import Runtime
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
        /// The run came to an end by itself, before there was a reason.
        var isOver = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Not aborted.
    package init() {}

    /// The reason in force, if any.
    package var reason: AbortReason? { state.withLock { $0.reason } }

    /// Gives a reason; later ones change nothing.
    package func abort(_ reason: AbortReason) {
        let waiter = state.withLock { state in
            if state.reason == nil || reason == .leaseLost { state.reason = reason }
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// The run has ended by itself: whoever waits goes on.
    func runEnded() {
        let waiter = state.withLock { state in
            if state.reason == nil { state.isOver = true }
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Waits until the run has ended by itself, is to end, or the task is cancelled. One waiter at a time.
    ///
    /// - Returns: whether the run ended by itself, which nothing that comes later changes.
    @discardableResult
    func wait() async -> Bool {
        await withCancellationHandler {
            await withCheckedContinuation { continuation in
                let goOn = state.withLock { state in
                    if state.reason != nil || state.isOver || Task.isCancelled { return true }
                    state.waiter = continuation
                    return false
                }
                if goOn { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume()
        }
        return state.withLock { $0.isOver }
    }
}
