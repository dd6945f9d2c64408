// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A bounded line from many producers to one consumer. A full line refuses: the producer decides what to drop.
///
/// The consumer takes everything that waits in one call, which is how batches form by themselves under load.
package final class BoundedChannel<Element: Sendable>: Sendable {
    /// What became of a sent element.
    package enum SendResult: Sendable {
        case accepted
        /// The line holds `capacity` elements; this one was not taken.
        case full
        /// ``finish()`` was called; this one was not taken.
        case finished
    }

    private struct State {
        var elements: [Element] = []
        var finished = false
        var consumer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let capacity: Int

    /// A capacity of 1 makes a wake-up: more sends before the consumer looks change nothing.
    package init(capacity: Int) {
        self.capacity = capacity
    }

    /// Never waits. Callable from any thread.
    package func send(_ element: Element) -> SendResult {
        let (result, consumer) = state.withLock { state -> (SendResult, CheckedContinuation<Void, Never>?) in
            if state.finished { return (.finished, nil) }
            if state.elements.count >= capacity { return (.full, nil) }
            state.elements.append(element)
            return (.accepted, state.consumer.take())
        }
        consumer?.resume()
        return result
    }

    /// No more elements come; what waits is still delivered.
    package func finish() {
        let consumer = state.withLock { state in
            state.finished = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Everything that waits, in order, at least one; waits for the first.
    ///
    /// - Returns: an empty array when the channel is finished and empty, or the task is cancelled.
    package func nextBatch() async -> [Element] {
        while true {
            let (batch, over) = state.withLock { state in
                (state.elements.isEmpty ? nil : take(&state), state.finished)
            }
            if let batch { return batch }
            if over || Task.isCancelled { return [] }
            await waitForElement()
        }
    }

    private func take(_ state: inout State) -> [Element] {
        let batch = state.elements
        state.elements = []
        return batch
    }

    private func waitForElement() async {
        await withCancellationHandler {
            await withContinuation { continuation in
                let resumeNow = state.withLock { state in
                    precondition(state.consumer == nil, "a bounded channel has one consumer")
                    if !state.elements.isEmpty || state.finished || Task.isCancelled { return true }
                    state.consumer = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.consumer.take() }?.resume()
        }
    }
}
