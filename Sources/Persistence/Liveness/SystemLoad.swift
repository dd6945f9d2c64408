// SPDX-License-Identifier: Apache-2.0
import Postgres

/// How much there is to do and who does it, for a health page.
package struct SystemLoad: Sendable, Hashable {
    /// More are not counted, so that a page anyone may ask for costs little whatever the queue holds.
    package static let maximumCount = 10_000

    /// Jobs that could run now; at most ``maximumCount``.
    package let readyCount: Int
    /// Jobs that run; at most ``maximumCount``.
    package let runningCount: Int
    /// Worker processes that have a row; one that died is among them until it is noticed.
    package let workerCount: Int

    /// One round trip.
    package static func read(from database: Database) async throws(PersistenceError) -> SystemLoad {
        let rows = try await database.query(SystemLoadStatements.load(maximum: Int32(maximumCount)))
        guard let row = rows.first else { throw PersistenceError(.internal, detail: "the load has no row") }
        var columns = ColumnReader(row)
        return SystemLoad(
            readyCount: try columns.next(), runningCount: try columns.next(), workerCount: try columns.next())
    }
}

/// Counts that end early.
enum SystemLoadStatements {
    /// Index: ready_pkey and running_pkey, index only; workers has few rows.
    static func load(maximum: Int32) -> SQL {
        """
        SELECT (SELECT count(*) FROM (SELECT FROM ready LIMIT \(maximum)) r),
               (SELECT count(*) FROM (SELECT FROM running LIMIT \(maximum)) r),
               (SELECT count(*) FROM workers WHERE NOT draining)
        """
    }
}
