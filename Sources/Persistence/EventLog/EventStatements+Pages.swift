// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

extension EventStatements {
    /// As ``read(_:after:since:limit:)`` for many readers at once, with the number of the place asked for, from 1:
    /// readers of one job that stand at different places each get a page of their own.
    static func pages(
        jobs: [JobID], leases: [Int64], sequences: [Int32], since: Timestamp, limitEach: Int32
    ) -> SQL {
        """
        SELECT c.place, e.lease, e.seq, e.kind, e.data
        FROM unnest(\(jobs), \(leases), \(sequences)) WITH ORDINALITY AS c (job, lease, seq, place)
        CROSS JOIN LATERAL (
            SELECT lease, seq, kind, data FROM events
            WHERE job = c.job AND (lease, seq) > (c.lease, c.seq) AND written >= \(since)
            ORDER BY lease, seq LIMIT \(limitEach)
        ) e
        ORDER BY c.place, e.lease, e.seq
        """
    }
}
