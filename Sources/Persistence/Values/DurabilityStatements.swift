// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// Waits for the disk apart from the commits that have to be there.
///
/// A commit that does not wait is visible at once, so others go on with what it wrote while the disk is waited for.
/// Whoever would tell the outside of it waits first, and the log is written in order: when this record of a few bytes is
/// on disk, and with a synchronous standby there, so is every commit before it.
enum DurabilityStatements {
    /// For the rest of the transaction; the first statement of one.
    static let commitAsynchronously: SQL = "SELECT set_config('synchronous_commit', 'off', true)"

    /// Returns when everything committed before is durable.
    static let flush: SQL = "SELECT pg_logical_emit_message(true, 'switchyard', '')"

    /// The same, and whether a job is there: a crash between its commit and this may have taken it back.
    /// Index: jobs_pkey.
    static func flush(with job: JobID) -> SQL {
        "SELECT EXISTS (SELECT FROM jobs WHERE id = \(job)) FROM pg_logical_emit_message(true, 'switchyard', '')"
    }
}
