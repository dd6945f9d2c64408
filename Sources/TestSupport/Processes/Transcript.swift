// SPDX-License-Identifier: Apache-2.0
import Runtime
import Synchronization

/// What something has said so far, for tests that wait until it says a certain thing. Keeps the last `capacity`.
package final class Transcript<Element: Sendable>: Sendable {
    private struct Waiter {
        let number: Int
        let look: @Sendable (Element) -> Bool
        let go: @Sendable (Outcome) -> Void
    }

    private enum Outcome { case found, ended, late }

    private struct State {
        var elements: [Element] = []
        var waiters: [Waiter] = []
        var nextNumber = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    private let capacity: Int

    /// An empty one.
    package init(capacity: Int = 10_000) { self.capacity = capacity }

    /// What is kept, oldest first.
    package var elements: [Element] { state.withLock { $0.elements } }

    /// Adds an element; the oldest is dropped when there are too many.
    package func append(_ element: Element) {
        let met = state.withLock { state in
            state.elements.append(element)
            if state.elements.count > capacity { state.elements.removeFirst() }
            let met = state.waiters.filter { $0.look(element) }
            if !met.isEmpty { state.waiters.removeAll { waiter in met.contains { $0.number == waiter.number } } }
            return met
        }
        for waiter in met { waiter.go(.found) }
    }

    /// Nothing more comes.
    package func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.go(.ended) }
    }

    /// The first element that satisfies, now or later.
    ///
    /// - Throws: ``Unheard`` when the time runs out or nothing more comes.
    package func first(
        within patience: Duration = .seconds(20), _ look: @escaping @Sendable (Element) -> Bool
    ) async throws -> Element {
        let found = Recorder<Element?>(nil)
        let loop = try TestCluster.loops.get().next()
        let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<Outcome, Never>) in
            let note: @Sendable (Element) -> Bool = { element in
                guard look(element) else { return false }
                found.withLock { $0 = element }
                return true
            }
            let (now, number) = state.withLock { state -> (Outcome?, Int) in
                if state.elements.contains(where: note) { return (.found, 0) }
                if state.isFinished { return (.ended, 0) }
                state.nextNumber += 1
                state.waiters.append(
                    Waiter(number: state.nextNumber, look: note) { continuation.resume(returning: $0) })
                return (nil, state.nextNumber)
            }
            if let now { return continuation.resume(returning: now) }
            let deadline = ContinuousClock.now + patience
            loop.execute { [self] in _ = loop.schedule(at: deadline) { [self] in giveUp(number) } }
        }
        if outcome == .found, let element = found.withLock({ $0 }) { return element }
        throw Unheard(hasEnded: outcome == .ended, last: elements.suffix(20).map { "\($0)" })
    }

    private func giveUp(_ number: Int) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
        }
        waiter?.go(.late)
    }
}

/// What a test waited for was not said.
package struct Unheard: Error, CustomStringConvertible {
    /// There is nobody left to say it.
    package let hasEnded: Bool
    /// The last things that were said.
    package let last: [String]
    /// See the properties.
    package init(hasEnded: Bool, last: [String]) {
        self.hasEnded = hasEnded
        self.last = last
    }

    /// For the test's report.
    package var description: String {
        "\(hasEnded ? "ended" : "in time") without the awaited; last:\n" + last.joined(separator: "\n")
    }
}
