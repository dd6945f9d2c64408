// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPServer
import Jobs
import Runtime

/// A job that someone watches; confined to the hub.
final class WatchedJob {
    let id: JobID
    var subscribers: [Subscriber] = []
    var waiters: [UInt64: EndWaiter] = [:]
    /// When it was last heard of or looked up.
    var heardAt: ContinuousClock.Instant
    /// Known to have ended: a read that begins now finds all there will ever be.
    var hasEnded = false
    /// Whether it may be waiting.
    var wait: WaitKnowledge
    /// The session of the reply, where a reader knew it.
    var session: SessionID?

    init(_ id: JobID, state: JobState?, heardAt: ContinuousClock.Instant) {
        self.id = id
        wait = WaitKnowledge(state: state)
        self.heardAt = heardAt
    }

    var isUnwatched: Bool { subscribers.isEmpty && waiters.isEmpty }

    func add(_ subscriber: Subscriber) {
        subscriber.index = subscribers.count
        subscribers.append(subscriber)
    }

    func remove(_ subscriber: Subscriber) {
        guard let last = subscribers.popLast(), last !== subscriber else { return }
        last.index = subscriber.index
        subscribers[last.index] = last
    }
}

/// One reader of a job's stream; confined to the hub.
final class Subscriber {
    let number: UInt64
    let job: WatchedJob
    let writer: EventStreamWriter
    let transform: StreamHub.FrameTransform?
    var machine: SubscriberMachine
    /// In the job's list.
    var index = 0
    /// Whether it is in the line of those who want a read.
    var isInLine = false
    var isGone = false
    /// What it was told of a wait.
    var notices = QueueNotices()
    /// Whether it has its first frames.
    var hasBegun = false
    /// A title that came before them.
    var title: [UInt8]?
    /// Since when the log has a gap for it.
    var waitingSince: ContinuousClock.Instant
    /// When it has to read though it knows of nothing, for it has not read yet.
    var readDue: ContinuousClock.Instant?

    init(
        number: UInt64, job: WatchedJob, writer: EventStreamWriter, transform: StreamHub.FrameTransform?,
        after cursor: StreamCursor, now: ContinuousClock.Instant
    ) {
        self.number = number
        self.job = job
        self.writer = writer
        self.transform = transform
        machine = SubscriberMachine(after: cursor)
        waitingSince = now
    }

    /// Whether it is to read again although its job was heard of lately.
    func isDue(_ now: ContinuousClock.Instant, _ interval: Duration) -> Bool {
        if let readDue, readDue <= now { return true }
        return machine.phase == .waiting && now - waitingSince >= interval
    }
}

/// A task that waits for a job's end; confined to the hub.
struct EndWaiter {
    let continuation: CheckedContinuation<StreamHub.EndOfWait, Never>
    let timer: TimerID
}
