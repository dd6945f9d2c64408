// SPDX-License-Identifier: Apache-2.0
package import Chat
import Jobs
import Postgres

/// A worker process as people see it.
package struct WorkerOverview: Sendable {
    /// The process.
    package let id: WorkerID
    /// Its program's version.
    package let version: String
    /// Jobs that it runs at once at most.
    package let slots: Int
    /// Jobs that it holds.
    package let runningCount: Int
    /// Whether it claims no more, because it is shutting down.
    package let isDraining: Bool
    /// When its first beat was seen.
    package let startedAt: Timestamp
    /// When its last beat was seen, by the database's clock; nobody decides by it who lives.
    package let lastBeatAt: Timestamp
    /// How long ago that was when it was looked up.
    package let sinceBeat: Duration
    let recent: [RecentRuns]

    init(_ row: PostgresRow) throws(PersistenceError) {
        var columns = ColumnReader(row)
        id = try columns.next()
        version = try columns.next()
        slots = Int(try columns.next() as Int32)
        runningCount = try columns.next()
        isDraining = try columns.next()
        startedAt = try columns.next()
        lastBeatAt = try columns.next()
        recent = RecentRuns.parse(try columns.next())
        let now: Timestamp = try columns.next()
        sinceBeat = .microseconds(max(0, now.microsecondsSince1970 - lastBeatAt.microsecondsSince1970))
    }
}
