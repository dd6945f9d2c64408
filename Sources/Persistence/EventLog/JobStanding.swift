// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Where a job stands that someone reads, as far as its readers care: why nothing comes.
package enum JobStanding: Sendable, Hashable {
    /// It can run, and nobody has taken it; so many are before it, where that is known.
    case inLine(before: Int?)
    /// It waits until then, for a reason in a machine's word.
    case deferred(reason: String, until: Timestamp)
    /// It stands in the line of a limited provider that cannot take it now, or its kind is paused; until then, where
    /// that is known.
    case held(reason: String, until: Timestamp?)
    /// Another job of its session is first.
    case behind
}

extension EventStatements {
    /// The first so many of the chat lane are counted; further back nobody knows a place.
    static let countedLine = 1000

    /// Where the jobs stand that do not run and have not ended; one snapshot, so that none is seen between two tables.
    /// Index: jobs_pkey, deferred_job, ready_pkey, waiting_pkey, providers_gate_key.
    static func standings(of jobs: [JobID]) -> SQL {
        """
        WITH line AS MATERIALIZED (
            SELECT job, row_number() OVER (ORDER BY tag, job) - 1 AS before
            FROM (SELECT tag, job FROM ready WHERE lane = 0 AND gate = 0
                  ORDER BY lane, gate, tag, job LIMIT \(countedLine)) f
        )
        SELECT j.id, d.reason, CASE WHEN d.due < 'infinity' THEN d.due END, q.job IS NOT NULL, l.before,
               CASE WHEN p.model IS NULL OR q.job IS NULL THEN NULL
                    WHEN p.blocked_until > clock_timestamp() THEN p.blocked_reason
                    WHEN p.breaker_state <> 0 THEN 'provider_down' ELSE 'provider_busy' END,
               CASE WHEN p.blocked_until > clock_timestamp() THEN p.blocked_until
                    WHEN p.breaker_state = 1 THEN p.breaker_until END
        FROM jobs j
        LEFT JOIN deferred d ON d.job = j.id
        LEFT JOIN LATERAL (
            SELECT job FROM ready WHERE (lane, gate, tag, job) = (j.lane, j.gate, j.tag, j.id)
            OFFSET 0 -- kept apart, as in JobRecordStatements
        ) q ON true
        LEFT JOIN line l ON l.job = q.job
        LEFT JOIN providers p ON p.gate = j.gate
        LEFT JOIN waiting w ON w.serial_key = j.serial_key AND w.job = j.id
        WHERE j.id = ANY (\(jobs)) AND j.state IS NULL
          AND (d.job IS NOT NULL OR q.job IS NOT NULL OR w.job IS NOT NULL)
        """
    }

    static func standing(_ row: PostgresRow) throws(PostgresError) -> (JobID, JobStanding) {
        let (job, reason, due, isInLine, before, hold, until) = try row.decode(
            JobID.self, String?.self, Timestamp?.self, Bool.self, Int64?.self, String?.self, Timestamp?.self)
        if let reason {
            return (job, due.map { .deferred(reason: reason, until: $0) } ?? .held(reason: reason, until: nil))
        }
        if let hold { return (job, .held(reason: hold, until: until)) }
        return (job, isInLine ? .inLine(before: before.map { Int($0) }) : .behind)
    }
}
