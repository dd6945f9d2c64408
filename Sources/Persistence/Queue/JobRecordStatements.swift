// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Reading a job for its owner.
enum JobRecordStatements {
    /// The state of a job that has not ended, of its rows `r` of `running` and `d` of `deferred`: 3 running, 1 scheduled,
    /// 2 ready. One of a paused kind has no time, and is ready.
    static let liveState: SQL = "CASE WHEN r.job IS NOT NULL THEN 3 WHEN d.due < 'infinity' THEN 1 ELSE 2 END"
    private static let runAt: SQL = "CASE WHEN d.due < 'infinity' THEN d.due ELSE j.run_at END"

    /// A job and where it stands: the record when it has ended, else the table that holds it.
    /// Index: jobs_pkey, running_pkey, deferred_job, ready_pkey.
    static func record(_ job: JobID, owner: UserID) -> SQL {
        """
        SELECT j.id, j.kind, j.lane,
               coalesce(j.state, \(fragment: liveState))::smallint,
               j.user_id, coalesce(j.attempt, r.attempt, d.attempt, q.attempt, 0)::smallint, j.max_attempts, j.priority,
               j.created_at, \(fragment: runAt), coalesce(r.started_at, j.started_at), j.finished_at,
               j.result, j.error_code, j.error_message,
               coalesce(r.lease, d.lease, q.lease, j.lease, 0)
        FROM jobs j
        LEFT JOIN running r ON r.job = j.id
        LEFT JOIN deferred d ON d.job = j.id
        LEFT JOIN LATERAL (
            SELECT lease, attempt FROM ready
            WHERE (lane, gate, tag, job, user_id, priority) = (j.lane, j.gate, j.tag, j.id, j.user_id, j.priority)
            OFFSET 0 -- kept apart: joined, a plan made for an empty line looks for the job alone and walks the index
        ) q ON true
        WHERE j.id = \(job) AND j.user_id = \(owner)
        """
    }

    /// A user's jobs before one, newest first, of those kinds and states; of the jobs before it only so many are looked
    /// at, so that a filter that matches little does not read a whole history.
    /// Index: jobs_user, running_pkey, deferred_job, ready_pkey.
    static func list(
        of user: UserID, before: PostgresUUID, kind: String?, state: Int16?, looked: Int, limit: Int
    ) -> SQL {
        """
        WITH j AS MATERIALIZED (
            SELECT id, kind, lane, gate, tag, state, user_id, attempt, max_attempts, priority, created_at, run_at,
                   started_at, finished_at, result, error_code, error_message, lease
            FROM jobs WHERE user_id = \(user) AND id < \(before) ORDER BY id DESC LIMIT \(looked)
        ), placed AS (
            SELECT j.id, j.kind, j.lane,
                   coalesce(j.state, \(fragment: liveState))::smallint
                       AS state,
                   j.user_id, coalesce(j.attempt, r.attempt, d.attempt, q.attempt, 0)::smallint, j.max_attempts,
                   j.priority, j.created_at, \(fragment: runAt),
                   coalesce(r.started_at, j.started_at), j.finished_at, j.result, j.error_code, j.error_message,
                   coalesce(r.lease, d.lease, q.lease, j.lease, 0)
            FROM j
            LEFT JOIN running r ON r.job = j.id
            LEFT JOIN deferred d ON d.job = j.id
            LEFT JOIN LATERAL (
                SELECT lease, attempt FROM ready WHERE (lane, gate, tag, job) = (j.lane, j.gate, j.tag, j.id)
                OFFSET 0 -- kept apart, as above
            ) q ON true
        )
        SELECT * FROM placed
        WHERE (\(kind)::text IS NULL OR kind = \(kind)) AND (\(state)::smallint IS NULL OR state = \(state))
        ORDER BY id DESC LIMIT \(limit)
        """
    }

    /// The last of the jobs that ``list(of:before:kind:state:looked:limit:)`` looks at, when it looks at that many.
    /// Index: jobs_user.
    static func lastLooked(of user: UserID, before: PostgresUUID, looked: Int) -> SQL {
        """
        SELECT id FROM jobs WHERE user_id = \(user) AND id < \(before) ORDER BY id DESC OFFSET \(looked - 1) LIMIT 1
        """
    }

    static func decode(_ row: PostgresRow) throws(PostgresError) -> JobRecord {
        let (
            id, kind, lane, state, user, attempt, maximum, priority, created, runAt, started, finished, result, code,
            message, lease
        ) = try row.decode(
            JobID.self, String.self, Int16.self, Int16.self, UserID.self, Int16.self, Int16.self, Int16.self,
            Timestamp.self, Timestamp.self, Timestamp?.self, Timestamp?.self, String?.self, String?.self,
            String?.self, Int64.self)
        return JobRecord(
            id: id, kind: JobKind(rawValue: kind), lane: Lane(rawValue: lane) ?? .embedding,
            state: JobState(rawValue: state) ?? .ready, userID: user, attempt: attempt, maximumAttempts: maximum,
            priority: priority, createdAt: created, runAt: runAt, startedAt: started, finishedAt: finished,
            result: result.map { Array($0.utf8) }, errorCode: code, errorMessage: message, lease: lease)
    }
}
