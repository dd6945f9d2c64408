// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Postgres

extension PostgresJobQueue {
    /// Cancels within a transaction of the caller, and looks again while a claim moves the job between two tables.
    package func cancelWithin(
        _ transaction: PostgresTransaction, _ job: JobID, owner: UserID
    ) async throws -> Cancellation {
        while true {
            try Task.checkCancellation()
            if let found = try await cancel(job, owner: owner, in: transaction) { return found }
        }
    }
}
