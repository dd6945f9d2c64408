// SPDX-License-Identifier: Apache-2.0
import Jobs
import Persistence
import Synchronization

/// How many jobs ended in the last minutes, by kind and lane, for whoever looks at the queue.
///
/// A job's end costs a short lock and two additions. History is made by whoever asks, at most every
/// ``interval``: it is a list of what the sums were. Jobs of more kinds than fit a beat are not tallied.
final class RunTally: Sendable {
    /// Least time between two entries of the history.
    static let interval: Duration = .seconds(10)

    private struct Subject: Hashable {
        let kind: JobKind
        let lane: Lane
    }

    private struct Sums {
        var completed = 0
        var failed = 0
    }

    private struct State {
        var sums: [Subject: Sums] = [:]
        /// Oldest first; the first is from before the window as soon as there is one.
        var history: [(instant: ContinuousClock.Instant, sums: [Subject: Sums])] = []
    }

    private let state = Mutex(State())

    func ended(_ kind: JobKind, _ lane: Lane, as end: JobState) {
        guard end == .completed || end == .failed else { return }
        let subject = Subject(kind: kind, lane: lane)
        state.withLock { state in
            guard state.sums[subject] != nil || state.sums.count < RecentRuns.maximumCount else { return }
            if end == .completed {
                state.sums[subject, default: Sums()].completed += 1
            } else {
                state.sums[subject, default: Sums()].failed += 1
            }
        }
    }

    /// What ended within ``RecentRuns/window`` before now, give or take an interval.
    func recent(at now: ContinuousClock.Instant) -> [RecentRuns] {
        state.withLock { state in
            if state.history.last.map({ now - $0.instant >= Self.interval }) ?? true {
                state.history.append((now, state.sums))
            }
            // One from before the window is kept: it is what the window is measured against.
            while state.history.count > 1, now - state.history[1].instant >= RecentRuns.window {
                state.history.removeFirst()
            }
            // Until the window is full everything is recent.
            let isFull = state.history.first.map { now - $0.instant >= RecentRuns.window } ?? false
            let before = isFull ? state.history[0].sums : [:]
            return state.sums.compactMap { subject, sums in
                let old = before[subject] ?? Sums()
                let (completed, failed) = (sums.completed - old.completed, sums.failed - old.failed)
                if completed == 0 && failed == 0 { return nil }
                return RecentRuns(kind: subject.kind, lane: subject.lane, completed: completed, failed: failed)
            }
        }
    }
}
