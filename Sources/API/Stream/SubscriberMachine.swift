// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs

/// Decides what one reader of one stream is sent, so that it gets every event after its cursor once and in order,
/// whatever is lost, repeated or late on the way to it.
///
/// Two sources: what is heard (notifications, fast, may be lost) and what is read (the log, the truth). An event that
/// was heard is in the log already, so whatever is missed is found by a read that begins afterwards.
struct SubscriberMachine {
    /// Where a reader stands.
    enum Phase: Sendable, Hashable {
        /// The log is to be read from the cursor. Can move to `reading`.
        case wantsRead
        /// A read is under way; what is heard meanwhile is kept. Can move to all others.
        case reading
        /// The cursor was the log's end; the next event heard is sent. Can move to all others but `reading`, `waiting`.
        case live
        /// The log has a gap after the cursor: not there yet. The next event, or a sweep, ends that. Can move to all
        /// others but `reading`.
        case waiting
        /// The reader is slow: nothing is sent or kept until it has taken what is there. Can move to `wantsRead`.
        case stalled
        /// Nothing follows.
        case finished
    }

    /// What to do about an event that was heard.
    enum Step: Sendable, Hashable {
        case ignore
        case send
        /// Send it, then end the stream.
        case sendLast
        /// Read the log.
        case read
        /// Send nothing until fewer than so many bytes are held back, then call ``drained()``.
        case awaitDrain(belowBytes: Int)
    }

    /// What to do about a page that was read: send the events in order, then go on.
    struct PageStep {
        enum Next: Sendable, Hashable {
            case nothing, read, finish
            case awaitDrain(belowBytes: Int)
        }

        var events: [RelayedEvent] = []
        var next = Next.nothing
    }

    /// Over this many unsent bytes a reader is slow.
    static let highWatermarkBytes = 64 << 10
    /// Below this many it goes on.
    static let lowWatermarkBytes = 16 << 10
    /// What is kept of the events heard during a read.
    static let backlogLimitBytes = 64 << 10

    /// The last event that was sent, or where the reader began.
    private(set) var cursor: StreamCursor
    private(set) var phase = Phase.wantsRead
    /// What was heard during the read.
    private(set) var backlog: [RelayedEvent] = []
    private var backlogBytes = 0
    /// Something heard during the read is not in the backlog.
    private(set) var hasMissed = false

    init(after cursor: StreamCursor) {
        self.cursor = cursor
    }

    /// An event was heard; so many bytes the reader has not taken yet.
    mutating func heard(_ event: RelayedEvent, bufferedBytes: Int) -> Step {
        guard event.cursor > cursor else { return .ignore }
        switch phase {
        case .wantsRead, .stalled, .finished: return .ignore
        case .reading:
            keep(event)
            return .ignore
        case .live:
            // A new lease too: whether the one before had more is only known from the log.
            guard event.cursor == cursor.next else { return wantRead() }
            return admit(event, bufferedBytes)
        case .waiting:
            guard event.cursor == cursor.next else { return .ignore }
            phase = .live
            return admit(event, bufferedBytes)
        }
    }

    /// An event was heard of whose data has to be read.
    mutating func heardPointer(_ place: StreamCursor) -> Step {
        guard place > cursor else { return .ignore }
        switch phase {
        case .wantsRead, .stalled, .finished: return .ignore
        case .reading:
            hasMissed = true
            return .ignore
        case .live: return wantRead()
        case .waiting: return place == cursor.next ? wantRead() : .ignore
        }
    }

    /// The read that was wanted begins now.
    mutating func readBegan() {
        guard phase == .wantsRead else { return }
        phase = .reading
    }

    /// The read did not happen; another one is wanted.
    mutating func readFailed() {
        guard phase == .reading else { return }
        forgetBacklog()
        phase = .wantsRead
    }

    /// The read is done. The page holds events after the cursor, in order, and a full one may have a successor. When
    /// the job had ended before the read began, what is missing now never comes.
    mutating func read(
        _ page: [RelayedEvent], isFull: Bool, hasEnded: Bool, bufferedBytes: Int
    ) -> PageStep {
        guard phase == .reading else { return PageStep() }
        let heard = backlog
        let missed = hasMissed
        forgetBacklog()
        phase = .live
        var step = PageStep()
        var bufferedBytes = bufferedBytes
        let lastLease = page.last?.cursor.lease ?? 0

        for event in page where event.cursor > cursor {
            // Of a lease that is over, nothing can be on its way.
            guard follows(event) || hasEnded || event.cursor.lease < lastLease else {
                phase = .waiting
                return step
            }
            if !admit(event, &bufferedBytes, into: &step) { return step }
        }
        if isFull {
            step.next = .read
            phase = .wantsRead
            return step
        }
        for event in heard where event.cursor > cursor {
            guard event.cursor == cursor.next else {
                // Heard after the read began, so another read sees it.
                step.next = .read
                phase = .wantsRead
                return step
            }
            if !admit(event, &bufferedBytes, into: &step) { return step }
        }
        if missed {
            step.next = .read
            phase = .wantsRead
        } else if hasEnded {
            step.next = .finish
            phase = .finished
        }
        return step
    }

    /// The slow reader has caught up with what it was sent.
    /// - Returns: whether a read is wanted.
    mutating func drained() -> Bool {
        guard phase == .stalled else { return false }
        phase = .wantsRead
        return true
    }

    /// Nothing was heard for a while, or hearing was interrupted: look whether something was missed.
    /// - Returns: whether a read is wanted.
    mutating func sweep() -> Bool {
        switch phase {
        case .live, .waiting:
            phase = .wantsRead
            return true
        case .reading:
            hasMissed = true
            return false
        case .wantsRead, .stalled, .finished: return false
        }
    }

    private func follows(_ event: RelayedEvent) -> Bool {
        event.cursor == cursor.next || (event.cursor.lease > cursor.lease && event.cursor.sequence == 1)
    }

    private mutating func wantRead() -> Step {
        phase = .wantsRead
        return .read
    }

    private mutating func keep(_ event: RelayedEvent) {
        guard !hasMissed, backlogBytes + event.frame.count <= Self.backlogLimitBytes else {
            hasMissed = true
            return
        }
        backlog.append(event)
        backlogBytes += event.frame.count
    }

    private mutating func forgetBacklog() {
        backlog = []
        backlogBytes = 0
        hasMissed = false
    }

    private mutating func admit(_ event: RelayedEvent, _ bufferedBytes: Int) -> Step {
        let size = event.frame.count
        guard bufferedBytes == 0 || bufferedBytes + size <= Self.highWatermarkBytes else {
            phase = .stalled
            // What is large by itself waits until it is alone.
            let fits = size <= Self.highWatermarkBytes - Self.lowWatermarkBytes
            return .awaitDrain(belowBytes: fits ? Self.lowWatermarkBytes : 1)
        }
        cursor = event.cursor
        guard event.event.kind.isTerminal else { return .send }
        phase = .finished
        return .sendLast
    }

    /// - Returns: whether more may follow.
    private mutating func admit(
        _ event: RelayedEvent, _ bufferedBytes: inout Int, into step: inout PageStep
    ) -> Bool {
        switch admit(event, bufferedBytes) {
        case .send:
            step.events.append(event)
            bufferedBytes += event.frame.count
            return true
        case .sendLast:
            step.events.append(event)
            step.next = .finish
        case .awaitDrain(let belowBytes): step.next = .awaitDrain(belowBytes: belowBytes)
        case .ignore, .read: break
        }
        return false
    }
}
