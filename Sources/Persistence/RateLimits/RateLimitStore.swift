// SPDX-License-Identifier: Apache-2.0
import Postgres

/// What a process asks of a bucket.
package struct RateLimitDraw: Sendable, Hashable {
    /// Of which bucket.
    package let bucket: RateLimitBucket
    /// The limit in force; at least 1.
    package let maximum: Int32
    /// How many permits, at least 1; a tenth of the maximum at most.
    package let wanted: Int32

    /// Clamps both numbers into their bounds.
    package init(_ bucket: RateLimitBucket, maximum: Int, wanted: Int) {
        self.bucket = bucket
        self.maximum = Int32(clamping: max(1, maximum))
        self.wanted = min(Int32(clamping: max(1, wanted)), max(1, self.maximum / 10))
    }
}

/// What a bucket gave.
package struct RateLimitGrant: Sendable, Hashable {
    /// Drawn by all processes in this window, this draw included.
    package let used: Int
    /// Of this draw; at least 1.
    package let granted: Int

    /// See the properties.
    package init(used: Int, granted: Int) {
        self.used = used
        self.granted = granted
    }
}

/// The counters that all API processes share.
package struct RateLimitStore: Sendable {
    private static let batch: Int32 = 1000

    private let database: Database

    /// Without state of its own.
    package init(database: Database) { self.database = database }

    /// Draws permits from buckets, each of which is named once. One statement; its commit does not wait for the disk.
    ///
    /// - Parameters:
    ///   - draws: in any order.
    ///   - window: the current one by the caller's clock.
    ///   - deadline: covers the wait for a connection, too.
    /// - Returns: nothing for a bucket that is used up.
    /// - Throws: `unavailable` and the like. Permits drawn by a call whose answer was lost are lost with it.
    package func draw(
        _ draws: [RateLimitDraw], in window: RateLimitWindow, deadline: ContinuousClock.Instant
    ) async throws(PersistenceError) -> [RateLimitBucket: RateLimitGrant] {
        let rows: PostgresRows
        do throws(PostgresError) {
            rows = try await database.pool.query(RateLimitStatements.draw(draws, in: window), deadline: deadline)
        } catch {
            throw PersistenceError(error)
        }
        var grants: [RateLimitBucket: RateLimitGrant] = [:]
        for row in rows {
            var columns = ColumnReader(row)
            let (kind, key): (Int16, PostgresUUID) = (try columns.next(), try columns.next())
            guard let kind = RateLimitBucket.Kind(rawValue: kind) else { continue }
            let (used, granted): (Int32, Int32) = (try columns.next(), try columns.next())
            grants[RateLimitBucket(kind, high: key.high, low: key.low)] = RateLimitGrant(
                used: Int(used), granted: Int(granted))
        }
        return grants
    }

    /// Deletes windows that are over, in batches that hold their locks briefly.
    /// - Returns: how many.
    package func deleteEnded() async throws(PersistenceError) -> Int {
        var total = 0
        while true {
            let deleted = try await database.execute(RateLimitStatements.deleteEnded(limit: Self.batch))
            total += deleted
            if deleted < Int(Self.batch) { return total }
        }
    }
}
