// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

extension PostgresJobQueue {
    /// How many jobs one page of a filtered list looks at.
    private static let lookedAtOnce = 1000

    /// A user's jobs, newest first. A page of a filtered list may hold fewer than asked for, or none, and have a
    /// successor: then so many jobs were looked at and did not match.
    ///
    /// - Parameters:
    ///   - owner: whose jobs; there are no others for them.
    ///   - kind: only those; nil for all. An unknown one matches nothing.
    ///   - state: only those; nil for all.
    ///   - cursor: the last job of the page before.
    ///   - limit: 1 or more, bounded by the caller.
    /// - Returns: the page, with the cursor of the next.
    /// - Throws: as every call of the queue.
    package func list(
        of owner: UserID, kind: JobKind? = nil, state: JobState? = nil, before cursor: JobID? = nil, limit: Int
    ) async throws(JobQueueError) -> Page<JobRecord, JobID> {
        try await mapping {
            let isFiltered = kind != nil || state != nil
            let before = PostgresUUID(high: cursor?.high ?? .max, low: cursor?.low ?? .max)
            let looked = isFiltered ? max(Self.lookedAtOnce, limit + 1) : limit + 1
            var statements = [
                JobRecordStatements.list(
                    of: owner, before: before, kind: kind?.rawValue, state: state?.rawValue, looked: looked,
                    limit: limit + 1)
            ]
            if isFiltered {
                statements.append(JobRecordStatements.lastLooked(of: owner, before: before, looked: looked))
            }
            let answers = try await pool.pipeline(statements)
            let records: [JobRecord] = try answers[0].map(JobRecordStatements.decode)
            let page = Page<JobRecord, JobID>(rows: records, limit: limit) { $0.id }
            guard page.nextCursor == nil, isFiltered else { return page }
            return Page<JobRecord, JobID>(items: page.items, nextCursor: try answers[1].decodeFirst(JobID.self))
        }
    }
}
