// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence

/// Decides whose places go back, from what is seen of the counters of those that have some, by this process's own clock.
///
/// Pure. A place is given back 15 s after its owner's last beat at the earliest: before that a process that is cut off
/// may still have calls under way, for it ends them only when it could not beat for ten seconds. That its row is gone
/// (it was rescued) is no beat.
struct PlaceObservation {
    static let grace: Duration = .seconds(15)

    private struct Seen {
        var beat: Int64
        var since: ContinuousClock.Instant
    }

    private var seen: [WorkerID: Seen] = [:]

    /// Takes one look.
    ///
    /// - Returns: those whose places go back, with the counter that was seen of them last.
    mutating func observe(_ holders: [PlaceHolder], at now: ContinuousClock.Instant) -> [WorkerID: Int64] {
        var next: [WorkerID: Seen] = [:]
        var silent: [WorkerID: Int64] = [:]
        for holder in holders where next[holder.worker] == nil {
            var entry = seen[holder.worker] ?? Seen(beat: holder.beat, since: now)
            let isBeat = holder.beat != entry.beat && holder.beat >= 0
            if isBeat { entry.since = now }
            entry.beat = holder.beat
            next[holder.worker] = entry
            if now - entry.since >= Self.grace { silent[holder.worker] = holder.beat }
        }
        seen = next
        return silent
    }

    /// Forgets everything: this process could not look for a while.
    mutating func reset() {
        seen = [:]
    }
}
