// SPDX-License-Identifier: Apache-2.0
package import Jobs
import Postgres

extension PostgresJobQueue {
    /// See ``JobQueue``. One round trip and a write to disk, which concurrent ones share.
    ///
    /// It does not say whether a crash came in between: a claim that was taken back leaves no lease, and without one
    /// nothing is appended.
    package func persist() async throws(JobQueueError) {
        _ = try await mapping { try await pool.execute(DurabilityStatements.flush) }
    }
}
