// SPDX-License-Identifier: Apache-2.0
import Postgres

/// What the upkeep of the token log asks and does. A partition is named by the number in its name, so that no text comes
/// from outside into a statement that cannot have values.
enum PartitionStatements {
    /// Partitions of the token log for the next two days, six hours each; returns how many were made.
    static let ensure: SQL = "SELECT ensure_event_partitions('6 hours', '48 hours')"

    /// The partition that is to go next, and how far it is; nulls when there is none. Index: those of the catalogue.
    static func old(retentionSeconds: Int64) -> SQL {
        """
        SELECT number, stage
        FROM old_event_partition(clock_timestamp() - \(retentionSeconds) * interval '1 second')
        """
    }

    static func name(_ number: Int64) -> String { "events_\(number)" }

    /// Says that it is not somebody's archive, should it be found detached.
    static func mark(_ number: Int64) -> String { "COMMENT ON TABLE \(name(number)) IS 'to be dropped'" }

    /// Its locks: SHARE UPDATE EXCLUSIVE on the log, which neither reading nor appending waits for; and none while it
    /// waits for the transactions that have used the log. Cancelled, it leaves the partition half detached.
    static func detach(_ number: Int64) -> String {
        "ALTER TABLE events DETACH PARTITION \(name(number)) CONCURRENTLY"
    }

    /// Waits for every transaction whose view of the database is older than this statement.
    static func finishDetaching(_ number: Int64) -> String {
        "ALTER TABLE events DETACH PARTITION \(name(number)) FINALIZE"
    }

    /// Of a table that is no partition any more: nobody else can have it locked but who had read it before.
    static func drop(_ number: Int64) -> String { "DROP TABLE \(name(number))" }
}
