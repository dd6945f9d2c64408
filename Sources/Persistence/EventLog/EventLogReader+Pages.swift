// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// What one look at the log found for several readers.
package struct EventLogPages: Sendable {
    /// Of the jobs asked for, those that had ended before the pages were read: nothing follows their pages.
    package var ended: Set<JobID> = []
    /// Of the jobs whose standing was asked for, those that wait.
    package var waiting: [JobID: JobStanding] = [:]
    /// For each position, in the order asked for, the events after it.
    package var pages: [[LoggedEvent]]
}

extension EventLogReader {
    /// What follows many positions, with one round trip; several readers of one job may stand at different places.
    ///
    /// - Parameters:
    ///   - positions: distinct ones.
    ///   - jobs: jobs to look up first. The order makes it safe to say "that was all": a job's last events are
    ///     committed with its end.
    ///   - waiting: jobs of which is asked whether they wait, and for what.
    ///   - limitEach: a page with so many events may have a successor.
    ///   - deadline: for connection and statements.
    /// - Returns: as many pages as positions.
    /// - Throws: `unavailable`, and what else a statement can end with.
    package func pages(
        after positions: [Position], endsOf jobs: [JobID], standingsOf waiting: [JobID] = [], limitEach: Int,
        deadline: ContinuousClock.Instant
    ) async throws(PersistenceError) -> EventLogPages {
        do throws(PostgresError) {
            return try await read(positions, jobs, waiting, limitEach: limitEach, deadline: deadline)
        } catch { throw PersistenceError(error) }
    }

    private func read(
        _ positions: [Position], _ jobs: [JobID], _ waiting: [JobID], limitEach: Int,
        deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> EventLogPages {
        var result = EventLogPages(pages: positions.map { _ in [] })
        var statements: [SQL] = []
        if !jobs.isEmpty { statements.append(EventStatements.ended(among: jobs)) }
        if !waiting.isEmpty { statements.append(EventStatements.standings(of: waiting)) }
        if let since = positions.map(\.job.madeAt).min() {
            statements.append(
                EventStatements.pages(
                    jobs: positions.map(\.job), leases: positions.map(\.cursor.lease),
                    sequences: positions.map(\.cursor.sequence), since: since, limitEach: Int32(clamping: limitEach)))
        }
        var answers = try await pool.pipeline(statements, deadline: deadline)[...]
        if !jobs.isEmpty, let rows = answers.popFirst() { result.ended = Set(try rows.decode(JobID.self)) }
        if !waiting.isEmpty, let rows = answers.popFirst() {
            for row in rows {
                // One that cannot be read costs its readers a notice, not everybody's pages.
                do throws(PostgresError) {
                    let (job, standing) = try EventStatements.standing(row)
                    result.waiting[job] = standing
                } catch { continue }
            }
        }
        guard let rows = answers.popFirst() else { return result }
        for row in rows {
            let (place, lease, sequence, kind, data) = try row.decode(
                Int64.self, Int64.self, Int32.self, Int16.self, String.self)
            guard let index = Int(exactly: place - 1), result.pages.indices.contains(index) else { continue }
            // The kind of a newer version is relayed under its own name, which the data holds.
            result.pages[index].append(
                LoggedEvent(
                    cursor: StreamCursor(lease: lease, sequence: sequence),
                    kind: StreamEventKind(rawValue: kind) ?? .queued, data: Array(data.utf8)))
        }
        return result
    }

    /// The place of the oldest event that is kept; nil when none is. Retention removes the oldest first.
    package func firstCursor(of job: JobID) async throws(PersistenceError) -> StreamCursor? {
        do throws(PostgresError) {
            return try await read(job, after: .beginning, limit: 1).first?.cursor
        } catch { throw PersistenceError(error) }
    }
}
