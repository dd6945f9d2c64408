// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// What every process has to know of a configuration that is limited, blocked or in trouble.
package struct ProviderStatus: Sendable, Hashable {
    /// Which one.
    package let model: ModelID
    /// Its own place in the line; `nil` for a personal one.
    package let gate: Int16?
    /// What holds for all processes together.
    package let limits: ProviderLimits
    /// For how long nobody may ask; `nil` when it is not blocked.
    package let blockedFor: Duration?
    /// A bounded machine word.
    package let blockedReason: String
    /// Of the circuit breaker.
    package let breaker: CircuitBreaker.State
    /// Since the last success.
    package let failures: Int
    /// For how long the breaker's state stands; `nil` when its time is over, or it has none.
    package let breakerFor: Duration?

    init(_ row: PostgresRow) throws(PersistenceError) {
        var columns = ColumnReader(row)
        model = try columns.next()
        gate = try columns.next()
        limits = ProviderLimits(
            maximumConcurrent: try columns.next(), requestsPerMinute: try columns.next(),
            tokensPerMinute: try columns.next())
        let blocked: Int64? = try columns.next()
        blockedFor = blocked.map { .microseconds($0) }
        blockedReason = try columns.next() ?? ""
        let state: Int16 = try columns.next()
        breaker = CircuitBreaker.State(rawValue: state) ?? .closed
        failures = try columns.next()
        let until: Int64? = try columns.next()
        breakerFor = until.map { .microseconds($0) }
    }
}

/// A process that has places of a configuration.
package struct PlaceHolder: Sendable, Hashable {
    /// Which configuration.
    package let model: ModelID
    /// Which process.
    package let worker: WorkerID
    /// How many calls at once it may have under way.
    package let places: Int
    /// Its counter; -1 when it has no row.
    package let beat: Int64

    /// See the properties.
    package init(model: ModelID, worker: WorkerID, places: Int, beat: Int64) {
        self.model = model
        self.worker = worker
        self.places = places
        self.beat = beat
    }
}

/// A claimed job to be put back to wait.
package struct PutOff: Sendable, Hashable {
    /// As it was claimed.
    package let lease: Lease
    /// From now.
    package let delay: Duration
    /// A bounded machine word.
    package let reason: String

    /// See the properties.
    package init(lease: Lease, delay: Duration, reason: String) {
        self.lease = lease
        self.delay = delay
        self.reason = reason
    }
}
