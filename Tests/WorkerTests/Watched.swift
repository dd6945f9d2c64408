// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A locked value whose changes can be waited for.
final class Watched<Value: Sendable>: Sendable {
    private struct Waiter {
        let condition: @Sendable (Value) -> Bool
        let go: @Sendable () -> Void
    }

    private struct State {
        var value: Value
        var waiters: [Waiter] = []
    }

    private let state: Mutex<State>

    init(_ value: Value) { state = Mutex(State(value: value)) }

    var value: Value { state.withLock { $0.value } }

    /// Reads or changes the value and lets those go on whose condition holds now.
    @discardableResult
    func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        let (result, met) = state.withLock { state in
            let result = body(&state.value)
            let value = state.value
            let met = state.waiters.filter { $0.condition(value) }
            state.waiters.removeAll { $0.condition(value) }
            return (result, met)
        }
        for waiter in met { waiter.go() }
        return result
    }

    /// Does not end by cancellation: the test's time limit is the bound.
    func wait(until condition: @escaping @Sendable (Value) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isMet = state.withLock { state in
                if condition(state.value) { return true }
                state.waiters.append(Waiter(condition: condition) { continuation.resume() })
                return false
            }
            if isMet { continuation.resume() }
        }
    }
}
