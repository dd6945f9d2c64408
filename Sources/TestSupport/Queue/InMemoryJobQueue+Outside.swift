// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// What others than the run do to a job.
extension InMemoryJobQueue {
    /// See ``JobQueue``: there is nothing that could be taken back.
    package func persist() async throws(JobQueueError) {}

    /// See `JobQueue`.
    package func cancel(_ job: JobID, owner: UserID) async throws(JobQueueError) -> Cancellation {
        tick()
        guard let entry = entries[job], entry.job.userID == owner else { return .notFound }
        switch entry.place {
        case .ended: return .alreadyEnded
        case .running(let worker, let startedAt, _):
            entries[job]?.place = .running(worker: worker, startedAt: startedAt, isCancelled: true)
            return .requested(Lease(job: job, number: entry.lease))
        case .ready, .waiting, .deferred: return .ended(wake: end(job, .cancelled), events: [])
        }
    }

    /// See `JobQueue`.
    package func pause(_ kind: JobKind) async throws(JobQueueError) { pausedKinds.insert(kind) }

    /// See `JobQueue`.
    package func resume(_ kind: JobKind) async throws(JobQueueError) -> Set<Lane> {
        pausedKinds.remove(kind)
        return Set(entries.values.filter { $0.isReady && $0.job.kind == kind }.map(\.job.lane))
    }

    /// See `JobQueue`.
    package func moveDue() async throws(JobQueueError) -> DueMove {
        tick()
        var move = DueMove(wake: [], nextDue: nil)
        var due: [(until: Timestamp, entry: Entry)] = []
        for entry in entries.values {
            guard case .deferred(let until) = entry.place else { continue }
            if until <= now {
                due.append((until, entry))
            } else {
                let wait = Duration.microseconds(until.microsecondsSince1970 - now.microsecondsSince1970)
                move.nextDue = min(move.nextDue ?? wait, wait)
            }
        }
        for (_, entry) in due.sorted(by: { ($0.until, $0.entry.job.id) < ($1.until, $1.entry.job.id) }) {
            let tag = nextTag(entry.job).first
            lineUp(entry.job.id, at: entry.lease == 0 ? tag : min(tag, entry.tag))
            move.wake.insert(entry.job.lane)
        }
        return move
    }

    /// See `JobQueue`.
    package func rescue(_ worker: WorkerID) async throws(JobQueueError) -> Rescue {
        tick()
        var rescue = Rescue(putBackCount: 0, endedCount: 0, wake: [], events: [])
        for entry in entries.values {
            guard case .running(let holder, _, let isCancelled) = entry.place, holder == worker else { continue }
            if isCancelled {
                rescue.wake.formUnion(end(entry.job.id, .cancelled))
                rescue.endedCount += 1
            } else if entry.crashes + 1 >= RetryPolicy.poisonCrashes {
                let poison = JobFailure(.fatal, .poison, "the job's worker died")
                rescue.wake.formUnion(end(entry.job.id, .failed, poison))
                rescue.endedCount += 1
            } else {
                putBack(entry, crashes: entry.crashes + 1, attempt: entry.attempt)
                rescue.wake.insert(entry.job.lane)
                rescue.putBackCount += 1
            }
        }
        return rescue
    }

    /// See `JobQueue`.
    package func putBackUnknown(_ lease: Lease, worker: WorkerID) async throws(JobQueueError) -> Rescue {
        tick()
        guard let entry = entries[lease.job], entry.lease == lease.number,
            case .running(let holder, _, let isCancelled) = entry.place, holder == worker
        else { return Rescue(putBackCount: 0, endedCount: 0, wake: [], events: []) }
        if isCancelled {
            return Rescue(putBackCount: 0, endedCount: 1, wake: end(lease.job, .cancelled), events: [])
        }
        putBack(entry, crashes: entry.crashes, attempt: entry.attempt - 1)
        return Rescue(putBackCount: 1, endedCount: 0, wake: [entry.job.lane], events: [])
    }

    /// See `JobQueue`. Its log is left as it is: what readers were told is of no concern here.
    package func retry(_ job: JobID, owner: UserID?) async throws(JobQueueError) -> Retrial {
        tick()
        guard var entry = entries[job], owner == nil || entry.job.userID == owner else { return .notFound }
        guard case .ended(let state, _) = entry.place else { return .alreadyUnfinished }
        if state == .completed { return .completed }
        let (holder, isHead) = takeKeys(entry.job)
        if let holder { return .replaced(by: holder) }
        (entry.attempt, entry.crashes, entry.hadOutput) = (0, 0, true)
        (entry.result, entry.failure) = (nil, nil)
        entry.position = nextPosition()
        entry.place = .waiting
        entries[job] = entry
        if isHead { lineUp(job, at: nextTag(entry.job).first) }
        return .linedUp(wake: isHead ? [entry.job.lane] : [])
    }

    /// See `JobQueue`.
    package func errors(of job: JobID, owner: UserID) async throws(JobQueueError) -> [JobErrorRecord] {
        entries[job].flatMap { $0.job.userID == owner ? $0.errors : nil } ?? []
    }

    /// See `JobQueue`.
    package func record(_ job: JobID, owner: UserID) async throws(JobQueueError) -> JobRecord? {
        guard let entry = entries[job], entry.job.userID == owner else { return nil }
        var state = JobState.ready
        var (runAt, startedAt, finishedAt) = (entry.job.runAt ?? entry.createdAt, entry.startedAt, nil as Timestamp?)
        switch entry.place {
        case .ready, .waiting: break
        case .deferred(let until): (state, runAt) = (.scheduled, until)
        case .running(_, let started, _): (state, startedAt) = (.running, started)
        case .ended(let end, let time): (state, finishedAt) = (end, time)
        }
        return JobRecord(
            id: job, kind: entry.job.kind, lane: entry.job.lane, state: state, userID: owner, attempt: entry.attempt,
            maximumAttempts: entry.job.maximumAttempts, priority: entry.job.priority, createdAt: entry.createdAt,
            runAt: runAt, startedAt: startedAt, finishedAt: finishedAt, result: entry.result,
            errorCode: entry.failure?.code.rawValue, errorMessage: entry.failure?.code.message, lease: entry.lease)
    }

    private func putBack(_ entry: Entry, crashes: Int16, attempt: Int16) {
        var entry = entry
        entry.crashes = crashes
        entry.attempt = attempt
        entry.hadOutput = true
        entry.place = .ready
        entries[entry.job.id] = entry
    }
}
