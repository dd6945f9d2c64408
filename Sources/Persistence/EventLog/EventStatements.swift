// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The token log and its notifications.
enum EventStatements {
    /// Appends the gathered events of many jobs, each only while its lease stands. `written` is chosen once per
    /// event, so a repeated flush conflicts with itself and adds nothing.
    ///
    /// The leases are looked up one by one (`LATERAL … OFFSET 0` leaves no other way). A join was planned when hardly
    /// anything ran, as a walk over all of `running`, and kept: with 1200 runs a flush of 24 events took 0.85 ms
    /// instead of 0.23.
    ///
    /// Returns the jobs whose lease still stands: the others are stale. Index: running_pkey, events' primary key.
    static func append(
        jobs: [JobID], leases: [Int64], sequences: [Int32], kinds: [Int16], data: [String], written: [Timestamp]
    ) -> SQL {
        """
        WITH given AS MATERIALIZED (
            SELECT g.* FROM unnest(\(jobs), \(leases), \(sequences), \(kinds), \(data), \(written))
                AS g (job, lease, seq, kind, data, written)
            CROSS JOIN LATERAL (SELECT FROM running r WHERE r.job = g.job AND r.lease = g.lease OFFSET 0) r
        ), added AS (
            INSERT INTO events (job, lease, seq, kind, data, written)
            SELECT job, lease, seq, kind, data, written FROM given
            ON CONFLICT DO NOTHING
        )
        SELECT DISTINCT job FROM given
        """
    }

    /// Appends without a fence: inside the transaction that holds or has just taken the lease, and for lease 0.
    static func appendUnfenced(
        job: JobID, leases: [Int64], sequences: [Int32], kinds: [Int16], data: [String], written: [Timestamp]
    ) -> SQL {
        """
        INSERT INTO events (job, lease, seq, kind, data, written)
        SELECT \(job), g.* FROM unnest(\(leases), \(sequences), \(kinds), \(data), \(written))
            AS g (lease, seq, kind, data, written)
        ON CONFLICT DO NOTHING
        """
    }

    /// Many payloads in one transaction that writes nothing else or commits asynchronously: a notifying commit
    /// holds a lock of the whole database until it is flushed.
    static func notify(channel: String, payloads: [String]) -> SQL {
        "SELECT pg_notify(\(channel), p) FROM unnest(\(payloads)) AS p"
    }

    /// What follows a cursor, in order. `since` prunes partitions: no event is older than its job.
    /// Index: events' primary key (job, lease, seq).
    static func read(_ job: JobID, after cursor: StreamCursor, since: Timestamp, limit: Int32) -> SQL {
        """
        SELECT lease, seq, kind, data FROM events
        WHERE job = \(job) AND (lease, seq) > (\(cursor.lease), \(cursor.sequence)) AND written >= \(since)
        ORDER BY lease, seq LIMIT \(limit)
        """
    }

    /// The last stored event of each lease: what a worker compares with its memory after losing its connection.
    static func lastSequences(jobs: [JobID], leases: [Int64]) -> SQL {
        """
        SELECT c.job, c.lease, coalesce((SELECT max(seq) FROM events e WHERE e.job = c.job AND e.lease = c.lease), 0)
        FROM unnest(\(jobs), \(leases)) AS c (job, lease)
        """
    }

    /// Which of the jobs have ended. Index: jobs_pkey.
    static func ended(among jobs: [JobID]) -> SQL {
        "SELECT id FROM jobs WHERE id = ANY (\(jobs)) AND state IS NOT NULL"
    }
}
