// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Opens once; whoever waits goes on.
final class Latch: Sendable {
    private struct State {
        var open = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func open() {
        state.withLock { state in
            state.open = true
            return state.waiter.take()
        }?.resume()
    }

    func wait() async {
        await withContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.open { state.waiter = continuation }
                return state.open
            }
            if isOpen { continuation.resume() }
        }
    }
}
