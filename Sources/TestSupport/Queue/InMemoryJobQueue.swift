// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// The queue without a database: the same promises in memory, for tests of what stands above it.
///
/// Its time stands still but for a microsecond a call, until ``advance(to:)``: what is due is decided by the test.
package actor InMemoryJobQueue: JobQueue {
    enum Place: Sendable {
        case ready
        case waiting
        case deferred(until: Timestamp)
        case running(worker: WorkerID, startedAt: Timestamp, isCancelled: Bool)
        case ended(JobState, at: Timestamp)
    }

    struct Entry: Sendable {
        let job: NewJob
        let createdAt: Timestamp
        /// Virtual start time; see ``InMemoryJobQueue/nextTag(_:)``.
        var tag: Int64
        /// Order within a serial key.
        var position: Int
        var place: Place
        var lease: Int64 = 0
        var attempt: Int16 = 0
        var crashes: Int16 = 0
        var hadOutput = false
        var startedAt: Timestamp?
        var result: [UInt8]?
        var failure: JobFailure?
        var errors: [JobErrorRecord] = []
        var events: [StreamCursor: StampedEvent] = [:]

        var isEnded: Bool { if case .ended = place { true } else { false } }
        var isReady: Bool { if case .ready = place { true } else { false } }
        var isWaiting: Bool { if case .waiting = place { true } else { false } }
    }

    private struct UniqueKey: Hashable {
        let userID: UserID
        let kind: JobKind
        let key: String

        init?(_ job: NewJob) {
            guard let key = job.uniqueKey else { return nil }
            (userID, kind, self.key) = (job.userID, job.kind, key)
        }
    }

    var entries: [JobID: Entry] = [:]
    var pausedKinds: Set<JobKind> = []
    private var weights: [UserID: Double] = [:]
    private var uniqueKeys: [UniqueKey: JobID] = [:]
    private var heads: [SerialKey: JobID] = [:]
    private(set) var lastPosition = 0
    /// Where its time stands.
    package private(set) var now: Timestamp

    /// - Parameter now: where its time stands.
    package init(now: Timestamp = Timestamp(millisecondsSince1970: 1_790_000_000_000)) {
        self.now = now
    }

    /// Moves its time; never back.
    package func advance(to time: Timestamp) {
        now = max(now, time)
    }

    /// The log of a job, in order.
    package func events(of job: JobID) -> [StampedEvent] {
        entries[job].map { entry in entry.events.sorted { $0.key < $1.key }.map(\.value) } ?? []
    }

    /// When a job that has to wait may run; nil for any other.
    package func due(_ job: JobID) -> Timestamp? {
        if case .deferred(let until) = entries[job]?.place { until } else { nil }
    }

    /// Gives a tenant another share than 1.
    package func setWeight(_ weight: Double, of tenant: UserID) { weights[tenant] = weight }

    /// How many jobs have not ended.
    package var unfinishedCount: Int { entries.values.count { !$0.isEnded } }

    // MARK: JobQueue

    /// See `JobQueue`.
    package func enqueue(_ jobs: [NewJob]) async throws(JobQueueError) -> Enqueued {
        var wake = Set<Lane>()
        var others: [JobID: JobID] = [:]
        for job in jobs.sorted(by: { $0.id < $1.id }) where entries[job.id] == nil {
            tick()
            if let key = UniqueKey(job) {
                if let holder = uniqueKeys[key] {
                    others[job.id] = holder
                    continue
                }
                uniqueKeys[key] = job.id
            }
            var place = Place.ready
            if let runAt = job.runAt, runAt > now { place = .deferred(until: runAt) }
            if let key = job.serialKey {
                if heads[key] == nil { heads[key] = job.id } else { place = .waiting }
            }
            lastPosition += 1
            let entry = Entry(
                job: job, createdAt: now, tag: nextTag(job).first, position: lastPosition, place: place)
            entries[job.id] = entry
            if entry.isReady { wake.insert(job.lane) }
        }
        return Enqueued(wake: wake, standing: jobs.map { others[$0.id] ?? $0.id })
    }

    /// Where the next job of a tenant goes, and how far behind it the one after it: the time while the line is empty, else
    /// behind the tenant's last job, and not before the first of anybody.
    func nextTag(_ job: NewJob) -> (first: Int64, step: Int64) {
        let ahead = Int64(job.priority) * 60_000_000
        let step = Int64((10 / (weights[job.userID] ?? 1)).rounded())
        let line = line(job.lane, job.gate)
        guard let head = line.first else { return (now.microsecondsSince1970 - ahead, step) }
        let first = head.tag + Int64(head.job.priority) * 60_000_000 - ahead
        let last = line.filter { $0.job.userID == job.userID && $0.job.priority == job.priority && $0.tag >= first }
            .map(\.tag).max()
        return (last.map { $0 + step } ?? first, step)
    }

    /// See `JobQueue`.
    package func claim(_ limit: ClaimLimit, worker: WorkerID) async throws(JobQueueError) -> [ClaimedJob] {
        tick()
        var rest = limit
        var claimed: [ClaimedJob] = []
        func take(_ entry: Entry) -> Bool {
            let gate = entry.job.gate
            let allowance = gate == GateAllowance.open ? rest.total : rest.allowance(of: gate)
            guard min(allowance, entry.job.lane == .chat ? rest.total : rest.background) > 0 else { return false }
            let job = start(entry, worker)
            claimed.append(job)
            rest = rest.without([job])
            return true
        }
        for lane in Lane.allCases {
            // Before the background, its lanes that others may starve.
            if lane == .title && Int.random(in: 0..<4) < rest.background {
                for entry in Lane.allCases.compactMap(oldest).shuffled() { _ = take(entry) }
            }
            for gate in gatesInOrder(lane) { for entry in line(lane, gate) where !take(entry) { break } }
        }
        return claimed.sorted {
            ($0.lane.rawValue, entries[$0.lease.job]?.tag ?? 0, $0.lease.job)
                < ($1.lane.rawValue, entries[$1.lease.job]?.tag ?? 0, $1.lease.job)
        }
    }

    /// What can be claimed of a lane and gate, best first.
    private func line(_ lane: Lane, _ gate: Int16) -> [Entry] {
        entries.values
            .filter {
                $0.isReady && $0.job.lane == lane && $0.job.gate == gate && !pausedKinds.contains($0.job.kind)
            }
            .sorted { ($0.tag, $0.job.id) < ($1.tag, $1.job.id) }
    }

    /// The first job of a lane when it has waited longer than the lane's target.
    private func oldest(of lane: Lane) -> Entry? {
        guard let wait = lane.targetWait else { return nil }
        let before = now.advanced(by: .zero - wait).microsecondsSince1970
        return gatesInOrder(lane).first.flatMap { line(lane, $0).first }.flatMap { $0.tag < before ? $0 : nil }
    }

    /// The gates of a lane by their first job.
    private func gatesInOrder(_ lane: Lane) -> [Int16] {
        let gates = Set(entries.values.filter { $0.isReady && $0.job.lane == lane }.map(\.job.gate))
        return gates.compactMap { gate in line(lane, gate).first.map { (gate, $0.tag) } }
            .sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
    }

    private func start(_ entry: Entry, _ worker: WorkerID) -> ClaimedJob {
        var entry = entry
        let isFirst = entry.lease == 0
        entry.lease = max(entry.lease + 1, now.microsecondsSince1970)
        entry.attempt += 1
        entry.place = .running(worker: worker, startedAt: now, isCancelled: false)
        entry.startedAt = now
        entries[entry.job.id] = entry
        let job = entry.job
        return ClaimedJob(
            lease: Lease(job: job.id, number: entry.lease), kind: job.kind, lane: job.lane, gate: job.gate,
            userID: job.userID,
            serialKey: job.serialKey, payload: job.payload, attempt: entry.attempt,
            maximumAttempts: job.maximumAttempts, crashes: entry.crashes, needsRestart: entry.hadOutput,
            runLimit: job.runLimit, waitingSince: max(entry.createdAt, job.runAt ?? entry.createdAt),
            isFirstClaim: isFirst)
    }

    /// See `JobQueue`.
    package func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent]
    ) async throws(JobQueueError) -> Settlement {
        tick()
        guard var entry = entries[job.lease.job], entry.lease == job.lease.number else { return .stale }
        guard case .running(_, let startedAt, let isCancelled) = entry.place else {
            return entry.isEnded ? .held(wake: job.serialKey == nil ? [] : [job.lane]) : .stale
        }
        if isCancelled && end.state != .cancelled { return .cancelRequested }
        for event in events where entry.events[event.event.cursor] == nil {
            entry.events[event.event.cursor] = event
        }
        entry.startedAt = startedAt
        var wake = Set<Lane>()
        switch end {
        case .completed(let result):
            entry.result = result
            entry.place = .ended(.completed, at: now)
        case .failed(let failure):
            entry.failure = failure
            entry.addError(failure, at: now)
            entry.place = .ended(.failed, at: now)
        case .cancelled: entry.place = .ended(.cancelled, at: now)
        case .again(let delay, let attemptSpent, let hadOutput, let failure):
            entry.addError(failure, at: now)
            if !attemptSpent { entry.attempt -= 1 }
            entry.hadOutput = hadOutput
            entry.place = .deferred(until: now.advanced(by: delay))
        case .handedOver(let hadOutput):
            entry.attempt -= 1
            entry.hadOutput = hadOutput
            entry.place = .ready
            wake.insert(entry.job.lane)
        }
        entries[job.lease.job] = entry
        if entry.isEnded {
            freeUniqueKey(entry.job)
            wake.formUnion(promote(after: entry.job))
        }
        return .held(wake: wake)
    }

    // MARK: Steps

    func tick() { now = now.advanced(by: .microseconds(1)) }

    /// Ends a job from outside its run, under a lease of its own.
    func end(_ job: JobID, _ state: JobState, _ failure: JobFailure? = nil) -> Set<Lane> {
        guard var entry = entries[job] else { return [] }
        entry.lease = max(entry.lease + 1, now.microsecondsSince1970)
        entry.failure = failure
        entry.addError(failure ?? JobFailure(.fatal, .cancelled, "cancelled"), at: now)
        entry.place = .ended(state, at: now)
        entries[job] = entry
        freeUniqueKey(entry.job)
        return promote(after: entry.job)
    }

    /// Makes the next of the key its head, when the ended job was it.
    private func promote(after job: NewJob) -> Set<Lane> {
        guard let key = job.serialKey, heads[key] == job.id else { return [] }
        let next = entries.values.filter { $0.job.serialKey == key && $0.isWaiting }
            .min { $0.position < $1.position }
        heads[key] = next?.job.id
        guard let next else { return [] }
        if let runAt = next.job.runAt, runAt > now {
            entries[next.job.id]?.place = .deferred(until: runAt)
            return []
        }
        lineUp(next.job.id, at: min(next.tag, nextTag(next.job).first))
        return [next.job.lane]
    }

    func lineUp(_ job: JobID, at tag: Int64) {
        entries[job]?.tag = tag
        entries[job]?.place = .ready
    }

    private func freeUniqueKey(_ job: NewJob) {
        if let key = UniqueKey(job), uniqueKeys[key] == job.id { uniqueKeys[key] = nil }
    }

    /// Takes the keys of a job that is to run again. Returns the other job that has the unique one, and whether it is the
    /// head of its serial one.
    func takeKeys(_ job: NewJob) -> (holder: JobID?, isHead: Bool) {
        if let key = UniqueKey(job) {
            if let holder = uniqueKeys[key] { return (holder, false) }
            uniqueKeys[key] = job.id
        }
        guard let key = job.serialKey else { return (nil, true) }
        if heads[key] != nil { return (nil, false) }
        heads[key] = job.id
        return (nil, true)
    }

    func nextPosition() -> Int {
        lastPosition += 1
        return lastPosition
    }
}

extension InMemoryJobQueue.Entry {
    mutating func addError(_ failure: JobFailure, at time: Timestamp) {
        errors.append(
            JobErrorRecord(
                lease: lease, at: time, attempt: attempt, code: failure.code.rawValue, message: failure.message))
    }
}

extension ClaimLimit {
    /// What may be taken of a gate.
    fileprivate func allowance(of gate: Int16) -> Int { gates.first { $0.gate == gate }?.atMost ?? 0 }
}
