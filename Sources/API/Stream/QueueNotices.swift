// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence

/// Decides when one reader of a job that waits is told so, live, beside what the log says.
struct QueueNotices {
    /// The last that the reader was shown, live or logged; nil after anything else.
    private(set) var shown: StreamQueued?

    /// An event of the log was sent to the reader.
    mutating func sent(_ event: LoggedEvent) {
        guard event.kind == .queued else { return shown = nil }
        do {
            guard case .queued(let queued) = try StreamEvent(json: event.data) else { return shown = nil }
            shown = queued
        } catch {
            // The kind of a newer version: whatever it says, it is not what would be said here.
            shown = nil
        }
    }

    /// The job stands there.
    /// - Returns: what to tell; nil when the reader knows. The time of a wait alone is no news: it differs by the
    ///   moments between the run's end and its row.
    mutating func notice(of standing: JobStanding) -> StreamQueued? {
        let queued = StreamQueued(standing)
        if let shown, shown.reason == queued.reason, shown.position == queued.position { return nil }
        shown = queued
        return queued
    }
}

extension StreamQueued {
    /// What a reader is told of a job that stands there.
    init(_ standing: JobStanding) {
        switch standing {
        case .inLine(let before): self.init(position: before, reason: "workers_busy")
        case .deferred(let reason, let until): self.init(reason: reason, until: until)
        case .held(let reason, let until): self.init(reason: reason, until: until)
        case .behind: self.init(reason: "session_busy")
        }
    }
}

/// Knows whether a job may be waiting, so that only those are asked about that may.
struct WaitKnowledge {
    /// Whether its standing is worth asking for: nothing of a lease was seen yet, or the last that was seen said that
    /// it waits, or it has been silent since.
    private(set) var mayWait: Bool
    private var last = StreamCursor.beginning
    private var silentLooks = 0

    /// - Parameter state: as its record said when the reader came; nil for a job that was just made.
    init(state: JobState?) {
        mayWait = state == nil || state == .scheduled || state == .ready
    }

    /// A reader came and its job's record said this.
    mutating func learned(_ state: JobState?) {
        if state == .scheduled || state == .ready { mayWait = true }
    }

    /// An event was heard or read.
    mutating func saw(_ kind: StreamEventKind?, at cursor: StreamCursor) {
        guard cursor > last else { return }
        last = cursor
        silentLooks = 0
        if kind == .queued { mayWait = true } else if cursor.lease > 0 { mayWait = false }
    }

    /// Nothing came of it since the last look. A job that ran may be in line again, which no event tells: its worker died,
    /// or left. Asked after 1, 2 and 4 looks, then after every eighth.
    mutating func fellSilent() {
        silentLooks += 1
        if [1, 2, 4].contains(silentLooks) || silentLooks.isMultiple(of: 8) { mayWait = true }
    }

    /// It neither waits nor is in line: it runs, or has ended.
    mutating func isElsewhere() { mayWait = false }
}
