// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Postgres
import Synchronization

/// Where the lines begin, for claims that would otherwise walk over what was claimed before.
///
/// While a transaction stays open, vacuum clears nothing away that was deleted since, and a claim or an enqueue meets
/// all of it at the head of the index again. A look meets it as well, but beside the claims and once a second; what it
/// found is the bound of the claims of this process, and, by a row in `line_fronts`, of everybody's enqueues.
///
/// Concurrency: any thread. Cost for a claim: two uncontended locks.
package final class LineFronts: Sendable {
    private let pool: PostgresPool
    private let state = Mutex(LineFrontState())

    /// Claims have no bounds until somebody looks (``FrontKeeper``).
    ///
    /// - Parameter pool: not the one that claims.
    package init(pool: PostgresPool) { self.pool = pool }

    /// What a look found.
    package struct Look: Sendable, Hashable {
        /// The lanes to wake: a job is in them that claims did not see.
        package let unseen: Set<Lane>
        /// Whether it had to walk over much, so that claims have bounds from the second one on.
        package let wasLong: Bool
    }

    /// Looks where lines begin, if claims were slow. One statement, and another one while bounds hold.
    ///
    /// - Returns: nil when there was no reason to.
    package func look() async throws(PersistenceError) -> Look? {
        let lines = state.withLock { $0.lines }
        if lines.isEmpty { return nil }
        let database = Database(pool)
        let rows = try await database.query(FrontStatements.look(lines))
        var fronts: [Line: Int64] = [:]
        var walk = Duration.zero
        for row in rows {
            var columns = ColumnReader(row)
            let line = Line(lane: try columns.next(), gate: try columns.next())
            fronts[line] = try columns.next() as Int64
            walk = max(walk, .microseconds(try columns.next() as Int64))
        }
        let (unseen, bounds) = state.withLock { state in
            let now = ContinuousClock.now
            let unseen = state.looked(fronts, walk: walk, at: now)
            return (unseen, state.current(at: now))
        }
        if let bounds { try await database.execute(FrontStatements.tell(bounds)) }
        return Look(unseen: unseen, wasLong: walk > LineFrontState.longWalk)
    }

    func bounds(for limit: ClaimLimit) -> ClaimBounds? {
        state.withLock { $0.bounds(for: limit, at: .now) }
    }

    func claimTook(_ time: Duration, jobs: Int) {
        state.withLock { $0.claimTook(time, jobs: jobs) }
    }
}
