// SPDX-License-Identifier: Apache-2.0
import Postgres

/// Where lines begin: looked for by those who claim, used by all who enqueue (`next_tag`).
enum FrontStatements {
    /// The first tag of each line, the time for an empty one, and the microseconds it took so far. Walks over what is
    /// dead at the front, which is the point. Index: ready_pkey (lane, gate, tag).
    static func look(_ lines: [Line]) -> SQL {
        """
        WITH front AS MATERIALIZED (
            SELECT l.lane, l.gate, (SELECT q.tag FROM ready q WHERE q.lane = l.lane AND q.gate = l.gate
                                    ORDER BY q.lane, q.gate, q.tag, q.job LIMIT 1) AS tag
            FROM unnest(\(lines.map(\.lane)), \(lines.map(\.gate))) l (lane, gate)
        )
        SELECT lane, gate, coalesce(tag, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint),
               (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000000)::bigint
        FROM front
        """
    }

    /// Tells enqueues, for three seconds. Of several processes that look, one writes a second, for these rows' old
    /// versions cannot be cleared away either; a lower front is always written. In the order of the key, so that two
    /// never wait for each other in a ring. Index: line_fronts_pkey.
    static func tell(_ bounds: ClaimBounds) -> SQL {
        let lines = bounds.fronts.sorted { ($0.key.lane, $0.key.gate) < ($1.key.lane, $1.key.gate) }
        return """
            INSERT INTO line_fronts AS f (lane, gate, front, until)
            SELECT l.lane, l.gate, l.front, clock_timestamp() + interval '3 seconds'
            FROM unnest(\(lines.map(\.key.lane)), \(lines.map(\.key.gate)), \(lines.map(\.value)))
                 l (lane, gate, front)
            ON CONFLICT (lane, gate) DO UPDATE SET front = excluded.front, until = excluded.until
            WHERE f.until < excluded.until - interval '0.8 seconds' OR f.front > excluded.front
            """
    }
}
