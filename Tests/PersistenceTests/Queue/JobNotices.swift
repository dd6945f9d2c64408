// SPDX-License-Identifier: Apache-2.0
import Observability
import Postgres
import Runtime
import TestSupport

/// What workers are told over the database.
struct JobNotices: Sendable {
    private let database: TestDatabase
    private let heard: BoundedChannel<String>

    /// Listens for the length of the body.
    static func hear(in database: TestDatabase, _ body: (JobNotices) async throws -> Void) async throws {
        let heard = BoundedChannel<String>(capacity: 256)
        let listener = PostgresListener(
            database.configuration, channels: ["jobs", "marker"], on: try TestCluster.loops.get().next(),
            blocking: TestCluster.blocking, logger: .discard, metrics: MetricsRegistry(),
            callbacks: PostgresListener.Callbacks(
                onNotification: { channel, payload in _ = heard.send("\(channel) \(payload)") },
                onConnected: { _ = heard.send("connected") }))
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run(shutdown) }
            defer { shutdown.trigger() }
            while await heard.nextBatch() != ["connected"] {}
            try await body(JobNotices(database: database, heard: heard))
        }
    }

    /// All since the last look, as channel and payload: whatever was committed before the call is among them.
    func next() async throws -> [String] {
        try await database.pool.execute("SELECT pg_notify('marker', '')")
        var all: [String] = []
        while all.last != "marker " { all += await heard.nextBatch() }
        return all.dropLast()
    }
}
