// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A clock that stands still until a test moves it.
package final class ManualClock: Clock, Sendable {
    /// Time since the clock was made.
    package struct Instant: InstantProtocol {
        /// Zero when the clock was made.
        package let sinceStart: Duration

        /// Later by a duration.
        package func advanced(by duration: Duration) -> Instant { Instant(sinceStart: sinceStart + duration) }
        /// How much later another instant is.
        package func duration(to other: Instant) -> Duration { other.sinceStart - sinceStart }
        /// By time.
        package static func < (left: Instant, right: Instant) -> Bool { left.sinceStart < right.sinceStart }
    }

    private struct Sleeper {
        let number: Int
        let deadline: Instant
        let wake: @Sendable (Bool) -> Void
    }

    private struct State {
        var now = Instant(sinceStart: .zero)
        var nextNumber = 0
        var sleepers: [Sleeper] = []
        var watchers: [(count: Int, go: @Sendable () -> Void)] = []
    }

    private let state = Mutex(State())

    /// A clock at zero.
    package init() {}

    /// Where it stands.
    package var now: Instant { state.withLock { $0.now } }
    /// It can be moved by anything.
    package var minimumResolution: Duration { .zero }

    /// Sleeps until the clock is moved to the deadline, or the task is cancelled.
    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        let isDue = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                let sleeper = Sleeper(number: number, deadline: deadline) { continuation.resume(returning: $0) }
                let watchers = state.withLock { state -> [@Sendable () -> Void]? in
                    if deadline <= state.now { return nil }
                    state.sleepers.append(sleeper)
                    let met = state.watchers.filter { $0.count <= state.sleepers.count }.map(\.go)
                    state.watchers.removeAll { $0.count <= state.sleepers.count }
                    return met
                }
                guard let watchers else { return sleeper.wake(true) }
                for go in watchers { go() }
                if Task.isCancelled { remove(number)?.wake(false) }
            }
        } onCancel: {
            remove(number)?.wake(false)
        }
        if !isDue { throw CancellationError() }
    }

    /// Moves the clock and wakes who is due.
    package func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let now = state.now
            let due = state.sleepers.filter { $0.deadline <= now }
            state.sleepers.removeAll { $0.deadline <= now }
            return due
        }
        for sleeper in due { sleeper.wake(true) }
    }

    /// Returns once so many tasks sleep.
    package func sleepers(_ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isMet = state.withLock { state in
                if state.sleepers.count >= count { return true }
                state.watchers.append((count, { continuation.resume() }))
                return false
            }
            if isMet { continuation.resume() }
        }
    }

    private func remove(_ number: Int) -> Sleeper? {
        state.withLock { state in
            state.sleepers.firstIndex { $0.number == number }.map { state.sleepers.remove(at: $0) }
        }
    }
}
