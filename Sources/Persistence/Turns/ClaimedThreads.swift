// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The threads of turns that a claim has just taken, read in the claim's own round trip: a person waits for it.
enum ClaimedThreads {
    /// More jobs at once than this load their threads themselves, each when it begins.
    private static let maximumJobs = 4
    /// A longer thread is left to its run: the other jobs of the claim would wait for it. Of text and parts.
    private static let maximumBytes = 128 * 1024

    /// What the transaction that this runs in has claimed, known by the `xmin` of its leases: the threads, each from its
    /// leaf upwards as far as the bounds go, and with the leaf what its session wants.
    ///
    /// As few steps as can be: to set each of them up is most of what the server does for a short thread.
    ///
    /// Owner: that of the reply's row, in each step. Index: running_worker, messages_job, sessions_pkey, messages_pkey.
    static func statement(worker: WorkerID) -> SQL {
        """
        WITH RECURSIVE taken AS MATERIALIZED (
            SELECT job FROM running WHERE worker = \(worker) AND xmin = pg_current_xact_id_if_assigned()::xid
            LIMIT \(Int64(maximumJobs))
        ), path AS (
            SELECT t.job, m.user_id, s.model_id, s.instructions, \(fragment: MessageStatements.columns),
                   1 AS depth,
                   octet_length(m.content) + coalesce(octet_length(m.parts), 0)::bigint AS bytes
            FROM taken t JOIN messages r ON r.job_id = t.job
            JOIN sessions s ON s.id = r.session_id AND s.user_id = r.user_id
            JOIN messages m ON m.id = r.parent_id AND m.session_id = r.session_id AND m.user_id = r.user_id
            WHERE octet_length(m.content) + coalesce(octet_length(m.parts), 0) <= \(Int64(maximumBytes))
            UNION ALL
            SELECT p.job, m.user_id, NULL, NULL, \(fragment: MessageStatements.columns),
                   p.depth + 1,
                   p.bytes + octet_length(m.content) + coalesce(octet_length(m.parts), 0)
            FROM path p JOIN messages m ON m.id = p.parent_id
            WHERE m.session_id = p.session_id AND m.user_id = p.user_id AND p.depth < \(MessageStore.maximumCount)
              AND p.bytes + octet_length(m.content) + coalesce(octet_length(m.parts), 0) <= \(Int64(maximumBytes))
        )
        SELECT m.job, m.user_id, m.model_id, m.instructions, \(fragment: MessageStatements.columns) FROM path m
        """
    }

    /// The threads in the statement's answer, by their jobs; not those that the bounds, or a missing parent, have cut off.
    static func read(_ rows: PostgresRows) throws(PersistenceError) -> [JobID: TurnThread] {
        var found: [JobID: Found] = [:]
        for row in rows {
            var columns = ColumnReader(row)
            let job: JobID = try columns.next()
            let head = Found(
                owner: try columns.next(), model: try columns.next(), instructions: try columns.next())
            // The walk goes upwards step by step: of a job's rows the first is the leaf's.
            found[job, default: head].messages.append(try StoredMessage(&columns))
        }
        return found.compactMapValues { found in
            guard let leaf = found.messages.first, found.messages.last?.parentID == nil else { return nil }
            return TurnThread(
                endingAt: leaf.id, owner: found.owner, modelID: found.model, instructions: found.instructions,
                in: found.messages)
        }
    }

    private struct Found {
        let owner: UserID
        let model: ModelID?
        let instructions: String?
        var messages: [StoredMessage] = []
    }
}
