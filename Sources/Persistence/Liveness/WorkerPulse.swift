// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
package import Postgres

/// A lease that the database believes a worker to hold.
package struct HeldLease: Sendable, Hashable {
    /// The lease in `running`.
    package let lease: Lease
    /// Somebody cancelled the job and the notification may have been lost.
    package let isCancelRequested: Bool
}

/// A worker's sign of life, over a blocking connection that belongs to one thread of its own: nothing that
/// happens on loops or in pools can hold it up.
package struct WorkerPulse: ~Copyable {
    private static let timeout: Duration = .seconds(5)

    private var connection: BlockingConnection
    private let id: WorkerID
    private let slots: Int32
    private let version: String
    /// Not while a half-open session of an earlier connection still holds the lock.
    private var holdsLock: Bool

    /// Connects and takes the worker's lock. A lock still held by its own half-open session is no error: the
    /// counter is what counts then.
    package init(
        _ configuration: PostgresConfiguration, id: WorkerID, slots: Int, version: String, logger: Logger
    ) throws(PostgresError) {
        var connection = try BlockingConnection(configuration.serving("heartbeat"), logger: logger)
        holdsLock = try Self.lock(id, &connection)
        self.connection = connection
        self.id = id
        self.slots = Int32(clamping: slots)
        self.version = version
    }

    /// Beats, tells what the worker has ended lately, and asks what the database believes it to hold.
    package mutating func beat(isDraining: Bool, recent: [RecentRuns] = []) throws(PostgresError) -> [HeldLease] {
        // Without the lock a beat that is late by a moment would look like a death.
        if !holdsLock { holdsLock = try Self.lock(id, &connection) }
        _ = try connection.query(
            LivenessStatements.beat(
                id, slots: slots, version: version, draining: isDraining, recent: RecentRuns.text(recent)),
            timeout: Self.timeout)
        return try connection.query(ClaimStatements.held(by: id), timeout: Self.timeout).decode(
            JobID.self, Int64.self, Bool.self
        ).map {
            HeldLease(lease: Lease(job: $0, number: $1), isCancelRequested: $2)
        }
    }

    private static func lock(_ id: WorkerID, _ connection: inout BlockingConnection) throws(PostgresError) -> Bool {
        try connection.query(LivenessStatements.lock(id), timeout: timeout).decodeFirst(Bool.self) ?? false
    }

    /// Looks at all workers.
    package mutating func observe() throws(PostgresError) -> [ObservedWorker] {
        try connection.query(LivenessStatements.observe, timeout: Self.timeout).decode(
            WorkerID.self, Int64.self, Bool.self
        ).map {
            ObservedWorker(id: $0, beat: $1, isLocked: $2)
        }
    }

    /// Leaves: nobody needs to find out by silence.
    package mutating func leave() throws(PostgresError) {
        _ = try connection.query(LivenessStatements.forget(id), timeout: Self.timeout)
    }
}
