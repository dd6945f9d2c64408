// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The threads of turns that a claim has just taken, read in the claim's own round trip: a person waits for it.
enum ClaimedThreads {
    /// More jobs at once than this load their threads themselves, each when it begins.
    private static let maximumJobs = 4
    /// A longer thread is not read: the other jobs of the claim would wait for it. Of text and parts.
    private static let maximumBytes = 256 * 1024

    /// What the transaction that this runs in has claimed: whole threads with what their sessions want, each from its
    /// leaf upwards. Rows of this transaction are known by their `xmin`.
    ///
    /// Owner: that of the reply's row, in each step. Index: running_worker, messages_job, sessions_pkey, messages_pkey.
    static func statement(worker: WorkerID) -> SQL {
        """
        WITH RECURSIVE taken AS MATERIALIZED (
            SELECT job FROM running WHERE worker = \(worker) AND xmin = pg_current_xact_id_if_assigned()::xid
            LIMIT \(Int64(maximumJobs))
        ), claimed AS MATERIALIZED (
            SELECT t.job, m.parent_id AS leaf, m.session_id, m.user_id, s.model_id, s.instructions
            FROM taken t JOIN messages m ON m.job_id = t.job
            JOIN sessions s ON s.id = m.session_id AND s.user_id = m.user_id
        ), path AS (
            SELECT c.job, m.id, m.parent_id, c.session_id, c.user_id, 1 AS depth,
                   octet_length(m.content) + coalesce(octet_length(m.parts), 0)::bigint AS bytes
            FROM claimed c JOIN messages m ON m.id = c.leaf AND m.session_id = c.session_id AND m.user_id = c.user_id
            UNION ALL
            SELECT p.job, m.id, m.parent_id, p.session_id, p.user_id, p.depth + 1,
                   p.bytes + octet_length(m.content) + coalesce(octet_length(m.parts), 0)
            FROM path p JOIN messages m ON m.id = p.parent_id
            WHERE m.session_id = p.session_id AND m.user_id = p.user_id
              AND p.depth < \(MessageStore.maximumCount) AND p.bytes < \(Int64(maximumBytes))
        )
        SELECT c.job, c.leaf, c.user_id, c.model_id, CASE WHEN p.depth = 1 THEN c.instructions END,
               m.id, m.session_id, m.parent_id, m.role, m.content, m.parts, m.status, m.finish_reason, m.error_code,
               m.error_message, m.usage, m.model, m.provider, m.job_id, m.created_at
        FROM claimed c JOIN path p ON p.job = c.job JOIN messages m ON m.id = p.id AND m.user_id = p.user_id
        WHERE EXISTS (SELECT FROM path w
                      WHERE w.job = c.job AND w.parent_id IS NULL AND w.bytes < \(Int64(maximumBytes)))
        ORDER BY c.job, p.depth
        """
    }

    /// The threads in the statement's answer, by their jobs.
    static func read(_ rows: PostgresRows) throws(PersistenceError) -> [JobID: TurnThread] {
        var found: [JobID: Found] = [:]
        for row in rows {
            var columns = ColumnReader(row)
            let job: JobID = try columns.next()
            let head = Found(
                leaf: try columns.next(), owner: try columns.next(), model: try columns.next(),
                instructions: try columns.next())
            // Of a job's rows the first, which is the leaf's, has the session's values.
            found[job, default: head].messages.append(try StoredMessage(&columns))
        }
        return found.compactMapValues { found in
            TurnThread(
                endingAt: found.leaf, owner: found.owner, modelID: found.model, instructions: found.instructions,
                in: found.messages)
        }
    }

    private struct Found {
        let leaf: MessageID
        let owner: UserID
        let model: ModelID?
        let instructions: String?
        var messages: [StoredMessage] = []
    }
}
