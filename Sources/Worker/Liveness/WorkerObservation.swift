// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence

/// Decides which workers are dead, from what is seen of their counters and locks, by this process's own clock.
///
/// Pure. Dead = its lock is free and its counter has not moved during ``unlockedGrace`` of observation, or its
/// counter has not moved for ``silentGrace``. Observation begins anew after this process lost its connection, so
/// a restarted database kills nobody.
struct WorkerObservation {
    static let unlockedGrace: Duration = .milliseconds(1500)
    static let silentGrace: Duration = .seconds(15)

    private struct Seen {
        var beat: Int64
        var since: ContinuousClock.Instant
        var unlockedSince: ContinuousClock.Instant?
    }

    private var seen: [WorkerID: Seen] = [:]

    /// Takes one look at all workers.
    ///
    /// - Returns: the dead ones.
    mutating func observe(_ workers: [ObservedWorker], at now: ContinuousClock.Instant) -> [WorkerID] {
        var next: [WorkerID: Seen] = [:]
        var dead: [WorkerID] = []
        for worker in workers {
            var entry = seen[worker.id] ?? Seen(beat: worker.beat, since: now)
            if entry.beat != worker.beat { entry = Seen(beat: worker.beat, since: now) }
            if worker.isLocked {
                entry.unlockedSince = nil
            } else if entry.unlockedSince == nil {
                entry.unlockedSince = now
            }
            next[worker.id] = entry
            let isUnlockedLong = entry.unlockedSince.map { now - max($0, entry.since) >= Self.unlockedGrace } ?? false
            if isUnlockedLong || now - entry.since >= Self.silentGrace { dead.append(worker.id) }
        }
        seen = next
        return dead
    }

    /// Forgets everything: this process could not look for a while.
    mutating func reset() {
        seen = [:]
    }
}
