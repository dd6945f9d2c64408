// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What a queue promises, whatever it is built on. One conformance suite runs on each implementation.
///
/// Every write for a running job holds only while its lease stands. All calls are safe to repeat when they end
/// with ``JobQueueError/unavailable``: what was done already is found done.
package protocol JobQueue: JobSource {
    /// Stores jobs and lines them up; a repeated id changes nothing, and neither does a unique key that an unfinished
    /// job of the owner and kind has: that job stands for the new one.
    func enqueue(_ jobs: [NewJob]) async throws(JobQueueError) -> Enqueued

    /// Ends a run, with the last events of its stream in the same transaction.
    func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent]
    ) async throws(JobQueueError) -> Settlement

    /// Ends or marks a job of an owner, wherever it stands.
    func cancel(_ job: JobID, owner: UserID) async throws(JobQueueError) -> Cancellation

    /// Stops claims of a kind, on every worker. Its jobs leave the line, so that claims need not step over them, and
    /// new ones are stored as ever. Runs under way go on.
    func pause(_ kind: JobKind) async throws(JobQueueError)

    /// Lets a kind go on: its jobs are in line again where they were. Returns the lanes to wake.
    func resume(_ kind: JobKind) async throws(JobQueueError) -> Set<Lane>

    /// Lines up what is due. Returns the lanes to wake and the time until the next is due.
    func moveDue() async throws(JobQueueError) -> DueMove

    /// Puts back what a dead worker held, ends what was cancelled or keeps killing its workers.
    func rescue(_ worker: WorkerID) async throws(JobQueueError) -> Rescue

    /// Gives back a lease that its worker does not know, with its attempt; a cancelled one is ended.
    func putBackUnknown(_ lease: Lease, worker: WorkerID) async throws(JobQueueError) -> Rescue

    /// Lines a failed or cancelled job up again, with fresh attempts and a lease above all its earlier ones; its stream
    /// goes on with `restart`. Its errors are kept. The owner is whose it has to be; nil for an administrator, who may
    /// name anybody's.
    func retry(_ job: JobID, owner: UserID?) async throws(JobQueueError) -> Retrial

    /// What went wrong with a job, oldest first, at most a thousand; empty also when it is not the owner's.
    func errors(of job: JobID, owner: UserID) async throws(JobQueueError) -> [JobErrorRecord]

    /// One job of an owner; nil when there is none, or it is another's.
    func record(_ job: JobID, owner: UserID) async throws(JobQueueError) -> JobRecord?
}

/// What became of a wish to cancel.
package enum Cancellation: Sendable, Hashable {
    /// It was not running and is ended now; its last events are in the log. Wake the lanes.
    case ended(wake: Set<Lane>, events: [StampedEvent])
    /// Its run is told to end.
    case requested(Lease)
    /// It had ended before.
    case alreadyEnded
    /// There is no such job of this owner.
    case notFound
}

/// What lining up due jobs found.
package struct DueMove: Sendable, Hashable {
    /// Lanes that have new work.
    package var wake: Set<Lane>
    /// Until the next deferred job is due; nil when there is none.
    package var nextDue: Duration?

    /// See the properties.
    package init(wake: Set<Lane>, nextDue: Duration?) {
        self.wake = wake
        self.nextDue = nextDue
    }
}

/// What a rescue did.
package struct Rescue: Sendable, Hashable {
    /// Jobs that are in line again.
    package var putBackCount: Int
    /// Jobs that were ended: cancelled ones and poison.
    package var endedCount: Int
    /// Lanes that have new work.
    package var wake: Set<Lane>
    /// Stored by the rescue, to be announced.
    package var events: [StampedEvent]

    /// See the properties.
    package init(putBackCount: Int, endedCount: Int, wake: Set<Lane>, events: [StampedEvent]) {
        self.putBackCount = putBackCount
        self.endedCount = endedCount
        self.wake = wake
        self.events = events
    }
}

/// Why the queue could not do what was asked.
package enum JobQueueError: Error, Sendable, Hashable {
    /// The database is away, or the answer of a commit was lost. Repeat.
    case unavailable
    /// The calling task was cancelled.
    case cancelled
    /// Anything else, which repeating does not mend; the words are for the log.
    case failed(String)
}
