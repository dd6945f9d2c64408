// SPDX-License-Identifier: Apache-2.0
import Postgres

/// Counters of the rate limits; see the table.
enum RateLimitStatements {
    /// Draws permits from buckets, each named once: from what is left, the wanted number or a tenth of it, whichever is
    /// less, but at least one. So nothing is drawn beyond the maximum, and towards the end permits go one by one and
    /// none lies about in a process that does not need it. A bucket with nothing left returns no row and is not
    /// written.
    ///
    /// The caller wants at most a tenth of the maximum, so that the first draw of a window is like any other.
    /// Index: rate_limits_pkey. Lock order: kind, key.
    static func draw(_ draws: [RateLimitDraw], in window: RateLimitWindow) -> SQL {
        """
        INSERT INTO rate_limits AS r (kind, key, window_start, ends_at, maximum, used, granted)
        SELECT kind, key, \(window.start), \(window.end), maximum, wanted, wanted
        FROM unnest(\(draws.map(\.bucket.kind.rawValue)),
                    \(draws.map { PostgresUUID(high: $0.bucket.high, low: $0.bucket.low) }),
                    \(draws.map(\.maximum)), \(draws.map(\.wanted))) AS d (kind, key, maximum, wanted)
        ORDER BY kind, key
        ON CONFLICT (kind, key, window_start) DO UPDATE
        SET used = r.used + least(excluded.maximum - r.used,
                                  greatest(1, least(excluded.granted, (excluded.maximum - r.used) / 10))),
            granted = least(excluded.maximum - r.used,
                            greatest(1, least(excluded.granted, (excluded.maximum - r.used) / 10))),
            maximum = excluded.maximum, ends_at = greatest(r.ends_at, excluded.ends_at)
        WHERE r.used < excluded.maximum
        RETURNING kind, key, used, granted
        """
    }

    /// A batch of windows that ended a minute ago, which no process's clock still takes for the current one.
    /// Index: rate_limits_end.
    static func deleteEnded(limit: Int32) -> SQL {
        """
        DELETE FROM rate_limits WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM rate_limits WHERE ends_at < now() - interval '1 minute'
            ORDER BY ends_at LIMIT \(limit) FOR UPDATE SKIP LOCKED))
        """
    }
}
