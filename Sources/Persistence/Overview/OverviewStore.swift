// SPDX-License-Identifier: Apache-2.0
import Postgres

/// What administrators look at. Each answer is kept for a second and read by one caller at a time, so that dashboards,
/// however many, ask the database once a second and process.
package final class OverviewStore: Sendable {
    private let database: Database
    private let queueCache = BriefCache<QueueOverview>()
    private let workerCache = BriefCache<[WorkerOverview]>()

    /// Reads nothing yet.
    package init(database: Database) { self.database = database }

    /// The queue as a whole. One round trip. What it counts is bounded, see ``QueueOverview/maximumPerKind``.
    package func queue() async throws(PersistenceError) -> QueueOverview {
        try await queueCache.value { () async throws(PersistenceError) in
            let answers = try await database.pipeline([
                OverviewStatements.lines(maximum: Int32(QueueOverview.maximumPerLane)),
                OverviewStatements.kinds(maximum: Int32(QueueOverview.maximumPerKind)),
                OverviewStatements.pausedKinds, OverviewStatements.workers,
            ])
            guard answers.count == 4 else { throw PersistenceError(.internal, detail: "the overview is incomplete") }
            return try QueueOverview(
                lines: answers[0], kinds: answers[1], paused: answers[2], workers: answers[3])
        }
    }

    /// Worker processes in the order of their coming, at most a thousand.
    package func workers() async throws(PersistenceError) -> [WorkerOverview] {
        try await workerCache.value { () async throws(PersistenceError) in
            var workers: [WorkerOverview] = []
            for row in try await database.query(OverviewStatements.workers) { workers.append(try WorkerOverview(row)) }
            return workers
        }
    }

    /// The queue was changed by whoever asks next, who wants to see it.
    package func forget() { queueCache.forget() }
}
