// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// Opens once; tasks and threads that wait for it go on. For tests that need an order of events without sleeping.
package final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// A closed gate.
    package init() {}

    /// Whether it was opened.
    package var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Lets everyone through, now and later.
    package func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter() }
    }

    /// For tasks. Does not end by cancellation: the test's time limit is the bound.
    package func wait() async {
        await withCheckedContinuation { continuation in
            whenOpened { continuation.resume() }
        }
    }

    /// For threads of the test's own; blocks.
    package func waitBlocking() {
        let semaphore = DispatchSemaphore(value: 0)
        whenOpened { semaphore.signal() }
        semaphore.wait()
    }

    /// Calls back once it is open, at once when it is; on whatever thread opens it.
    package func whenOpened(_ body: @escaping @Sendable () -> Void) {
        let isOpen = state.withLock { state in
            if !state.isOpen { state.waiters.append(body) }
            return state.isOpen
        }
        if isOpen { body() }
    }
}
