// SPDX-License-Identifier: Apache-2.0
package import Jobs
import Postgres

extension PostgresJobQueue {
    private static let page: Int32 = 1000

    /// See ``JobQueue``. Walks the line once, a transaction a thousand jobs; what comes into it later the claims move.
    package func pause(_ kind: JobKind) async throws(JobQueueError) {
        try await mapping {
            try await pool.execute(PauseStatements.pause(kind))
            var place = (Int16.min, Int16.min, Int64.min, PostgresUUID(high: 0, low: 0))
            while true {
                let rows = try await pool.query(
                    PauseStatements.moveAside(
                        lane: place.0, gate: place.1, tag: place.2, job: place.3, page: Self.page))
                guard let next = try rows.decodeFirst(Int16.self, Int16.self, Int64.self, PostgresUUID.self) else {
                    return
                }
                place = next
            }
        }
    }

    /// See ``JobQueue``.
    package func resume(_ kind: JobKind) async throws(JobQueueError) -> Set<Lane> {
        try await mapping {
            try await pool.execute(PauseStatements.resume(kind))
            return try await lineUpUnpaused()
        }
    }

    /// Puts back what was moved aside and need not be, also by a claim that was under way during the resume.
    func lineUpUnpaused() async throws -> Set<Lane> {
        var (lanes, place) = (Set<Lane>(), PostgresUUID(high: 0, low: 0))
        while true {
            let rows = try await pool.query(PauseStatements.moveBack(after: place, page: Self.page))
            guard let (found, last) = try rows.decodeFirst([Int16].self, PostgresUUID?.self), let last else {
                return lanes
            }
            lanes.formUnion(found.compactMap(Lane.init))
            place = last
        }
    }
}
