// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Reading a job for its owner.
enum JobRecordStatements {
    /// A job and where it stands: the record when it has ended, else the table that holds it.
    /// Index: jobs_pkey, running_pkey, deferred_job, ready_pkey.
    static func record(_ job: JobID, owner: UserID) -> SQL {
        """
        SELECT j.id, j.kind, j.lane,
               coalesce(j.state, CASE WHEN r.job IS NOT NULL THEN 3 WHEN d.due < 'infinity' THEN 1 ELSE 2 END)::smallint,
               j.user_id, coalesce(j.attempt, r.attempt, d.attempt, q.attempt, 0)::smallint, j.max_attempts, j.priority,
               j.created_at, CASE WHEN d.due < 'infinity' THEN d.due ELSE j.run_at END, coalesce(r.started_at, j.started_at), j.finished_at,
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
