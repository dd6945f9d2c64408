// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// What keeps the tables in shape.
enum MaintenanceStatements {
    /// Partitions of the token log for the next two days, six hours each; returns how many were made.
    static let ensurePartitions: SQL = "SELECT ensure_event_partitions('6 hours', '48 hours')"

    /// Drops one partition of the token log that is older than the retention; null when there is none.
    static func dropPartition(retentionSeconds: Int64) -> SQL {
        "SELECT drop_event_partition(clock_timestamp() - \(retentionSeconds) * interval '1 second')"
    }
}
