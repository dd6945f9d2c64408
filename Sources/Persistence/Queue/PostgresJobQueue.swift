// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Postgres

/// The queue on PostgreSQL.
///
/// Holds nothing in memory but its connections, so any number of processes share one queue. Concurrency: any
/// task. Cost: a claim is one round trip, an end two.
package struct PostgresJobQueue: JobQueue {
    let pool: PostgresPool
    let claimer: PostgresPool
    let clock: DatabaseClock
    let fronts: LineFronts?
    let onSessionChange: SessionChangeHandler
    let submissions = SubmissionLoad()

    /// - Parameters:
    ///   - pool: for everything but claims.
    ///   - claimer: one connection that only claims, so that nothing stands before a claim, and does not wait for the
    ///     disk.
    ///   - clock: stamps events that the queue itself writes.
    ///   - fronts: where claims begin to look when they have become slow; nil in processes that claim little.
    ///   - onSessionChange: told of what its transactions changed of sessions, after the commit.
    package init(
        pool: PostgresPool, claimer: PostgresPool, clock: DatabaseClock, fronts: LineFronts? = nil,
        onSessionChange: @escaping SessionChangeHandler = { _ in }
    ) {
        self.pool = pool
        self.claimer = claimer
        self.clock = clock
        self.fronts = fronts
        self.onSessionChange = onSessionChange
    }

    /// See ``JobQueue``. One transaction; sorted by unique key and id, so that two callers never wait for each other in a
    /// ring.
    package func enqueue(_ jobs: [NewJob]) async throws(JobQueueError) -> Enqueued {
        if jobs.count == 1 { return try await enqueue(jobs[0]) }
        return try await mapping {
            do {
                return try await enqueue(jobs, idsAreNew: true)
            } catch let error as PostgresError where error.constraint == "jobs_pkey" {
                // A repetition after an answer that was lost.
                return try await enqueue(jobs, idsAreNew: false)
            }
        }
    }

    private func enqueue(_ jobs: [NewJob], idsAreNew: Bool) async throws -> Enqueued {
        let sorted =
            jobs.contains { $0.uniqueKey != nil }
            ? jobs.sorted { ($0.uniqueKey ?? "", $0.id) < ($1.uniqueKey ?? "", $1.id) }
            : jobs.sorted { $0.id < $1.id }
        let plain = sorted.count > 1 ? sorted.filter(\.isPlain) : []
        // A job that comes twice in one call is stored once, too.
        let isNew = idsAreNew && zip(plain, plain.dropFirst()).allSatisfy { $0.id != $1.id }
        let atOnce = isNew ? plain.filter { $0.runAt == nil } : []
        let others = isNew ? plain.filter { $0.runAt != nil } : plain
        return try await pool.withTransaction { transaction in
            var wake = Set<Lane>()
            for start in stride(from: 0, to: atOnce.count, by: Self.bulkSize) {
                let chunk = Array(atOnce[start..<min(start + Self.bulkSize, atOnce.count)])
                let lanes = try await transaction.query(EnqueueStatements.enqueueNew(chunk)).decode(Int16.self)
                wake.formUnion(lanes.compactMap(Lane.init))
            }
            for start in stride(from: 0, to: others.count, by: Self.bulkSize) {
                let chunk = Array(others[start..<min(start + Self.bulkSize, others.count)])
                let lanes = try await transaction.query(EnqueueStatements.enqueueMany(chunk)).decode(Int16.self)
                wake.formUnion(lanes.compactMap(Lane.init))
            }
            var standing: [JobID: JobID] = [:]
            for job in sorted where plain.isEmpty || !job.isPlain {
                let (place, id) = try await Self.place(job, in: transaction)
                if place == .ready { wake.insert(job.lane) }
                if id != job.id { standing[job.id] = id }
            }
            return Enqueued(wake: wake, standing: jobs.map { standing.isEmpty ? $0.id : standing[$0.id] ?? $0.id })
        }
    }

    /// One statement is a transaction of its own: a second round trip would double what the caller waits for.
    private func enqueue(_ job: NewJob) async throws(JobQueueError) -> Enqueued {
        try await mapping {
            let (place, standing) = try Self.placing(of: job, in: try await pool.query(EnqueueStatements.enqueue(job)))
            return Enqueued(wake: place == .ready ? [job.lane] : [], standing: [standing])
        }
    }

    /// Jobs a statement of the bulk enqueue takes: beyond it, larger ones cost memory and gain nothing.
    private static let bulkSize = 5000

    /// Where an enqueued job stands first.
    package enum Place: Int16, Sendable {
        /// May be claimed at once.
        case ready = 0
        /// Its time has not come.
        case scheduled = 1
        /// Behind another job of its serial key.
        case behind = 2
    }

    /// Enqueues within a transaction of the caller; nil when the id was enqueued before or another job has its unique key.
    static func enqueue(_ job: NewJob, in transaction: PostgresTransaction) async throws -> Place? {
        try await place(job, in: transaction).place
    }

    private static func place(
        _ job: NewJob, in transaction: PostgresTransaction
    ) async throws -> (place: Place?, standing: JobID) {
        try placing(of: job, in: try await transaction.query(EnqueueStatements.enqueue(job)))
    }

    /// Where the enqueuing statement has put the job, and which job stands.
    static func placing(of job: NewJob, in rows: PostgresRows) throws -> (place: Place?, standing: JobID) {
        guard let (place, standing) = try rows.decodeFirst(Int16?.self, JobID.self) else { return (nil, job.id) }
        return (place.flatMap(Place.init), standing)
    }

    /// The events of lease 0, which are written with the job, with their places.
    static func opening(_ events: [StreamEvent], of job: JobID, at now: Timestamp) -> [StampedEvent] {
        events.enumerated().map { index, event in
            StampedEvent(
                job: job, event: LoggedEvent(event, at: StreamCursor(lease: 0, sequence: Int32(index) + 1)),
                written: now)
        }
    }

    /// See ``JobQueue``. Moves at most 1000 jobs a call.
    package func moveDue() async throws(JobQueueError) -> DueMove {
        try await mapping {
            let lanes = try await pool.query(EnqueueStatements.moveDue(limit: 1000)).decode(Int16.self)
            let next = try await pool.query(EnqueueStatements.untilNextDue).decodeFirst(Int64?.self)
            return DueMove(wake: Set(lanes.compactMap(Lane.init)), nextDue: (next ?? nil).map { .microseconds($0) })
        }
    }

    /// See ``JobQueue``.
    package func record(_ job: JobID, owner: UserID) async throws(JobQueueError) -> JobRecord? {
        try await mapping {
            try await pool.query(JobRecordStatements.record(job, owner: owner)).first.map(JobRecordStatements.decode)
        }
    }

    /// Runs database work under the queue's error type.
    func mapping<Value>(_ body: () async throws -> Value) async throws(JobQueueError) -> Value {
        do {
            return try await body()
        } catch let error as PostgresError {
            if error.code == .cancelled { throw .cancelled }
            if error.isUnavailable || error.isRetryable || error.code == .deadlineExceeded { throw .unavailable }
            // Trouble of the server, not of what it was asked: a full disk, a standby after a failover.
            if let state = error.sqlState, ["25", "53", "55", "57", "58"].contains(state.prefix(2)) {
                throw .unavailable
            }
            throw .failed(error.description)
        } catch is CancellationError {
            throw .cancelled
        } catch let error as JobQueueError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }
}

extension NewJob {
    /// Touches nothing but the record and the line, so that many go in one statement.
    fileprivate var isPlain: Bool { serialKey == nil && uniqueKey == nil }
}
