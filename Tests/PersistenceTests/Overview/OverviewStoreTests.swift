// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct OverviewStoreTests {
    private func job(_ kind: String, _ lane: Lane, key: SerialKey? = nil, runAt: Timestamp? = nil) -> NewJob {
        var job = NewJob(
            id: Fixture.id(), kind: JobKind(rawValue: kind), lane: lane, userID: Fixture.id(), serialKey: key,
            payload: Array("{}".utf8))
        job.runAt = runAt
        return job
    }

    /// In every place a job can be: kind `a` in chat, kinds `b` and `c` in embedding.
    private func fill(_ database: TestDatabase, worker: WorkerID) async throws {
        let queue = database.queue
        let key: SerialKey = Fixture.id()
        _ = try await queue.enqueue([job("a", .chat)])
        let held = try await queue.claim(ClaimLimit(total: 1, background: 0), worker: worker)
        #expect(held.count == 1)
        _ = try await queue.enqueue([job("a", .chat, key: key)])
        _ = try await queue.enqueue([job("a", .chat, key: key), job("a", .chat, key: key)])
        _ = try await queue.enqueue(
            [job("b", .embedding), job("b", .embedding), job("c", .embedding)]
                + (0..<3).map { _ in job("b", .embedding, runAt: QueueUnderTest.far) })
        try await queue.pause(JobKind(rawValue: "c"))
    }

    @Test(.migratedDatabase) func `every job is counted once, by lane, kind and place`() async throws {
        let database = try TestDatabase.required()
        try await fill(database, worker: Fixture.id())
        let overview = try await OverviewStore(database: database.database).queue()
        let chat = try #require(overview.lanes[.chat])
        #expect([chat.readyCount, chat.waitingCount, chat.runningCount, chat.depth] == [1, 2, 1, 3])
        #expect(chat.deferredCounts == [:])
        #expect(chat.oldestAge != nil)
        let embedding = try #require(overview.lanes[.embedding])
        #expect([embedding.readyCount, embedding.waitingCount, embedding.runningCount] == [2, 0, 0])
        #expect(embedding.deferredCounts == ["scheduled": 3, "paused": 1])
        #expect(overview.lanes[.title]?.depth == 0)
        #expect(overview.lanes[.title]?.oldestAge == nil)
        func kind(_ name: String, _ lane: Lane) -> QueueOverview.Load? {
            overview.kinds[QueueOverview.Subject(lane: lane, kind: JobKind(rawValue: name))]
        }
        #expect(overview.kinds.count == 3)
        #expect(kind("b", .embedding)?.readyCount == 2)
        #expect(kind("b", .embedding)?.deferredCounts == ["scheduled": 3])
        #expect(kind("c", .embedding)?.deferredCounts == ["paused": 1])
        #expect(kind("c", .embedding)?.oldestAge == nil)
        #expect(kind("a", .chat)?.waitingCount == 2)
        #expect(overview.pausedKinds.map(\.key.rawValue) == ["c"])
    }

    @Test(.migratedDatabase) func `workers tell what they hold and what they ended, and rates are summed`() async throws
    {
        let database = try TestDatabase.required()
        let ids: [WorkerID] = [Fixture.id(), Fixture.id()]
        try await fill(database, worker: ids[0])
        let runs = [
            RecentRuns(kind: .chat, lane: .chat, completed: 3, failed: 1),
            RecentRuns(kind: .noop, lane: .embedding, completed: 20, failed: 0),
        ]
        for (index, id) in ids.enumerated() {
            for _ in 0..<2 {
                try await database.pool.execute(
                    LivenessStatements.beat(
                        id, slots: 8, version: "v\(index)", draining: index == 1, recent: RecentRuns.text(runs)))
            }
        }
        let store = OverviewStore(database: database.database)
        let workers = try await store.workers()
        #expect(workers.map(\.id) == ids)
        #expect(workers.map(\.version) == ["v0", "v1"])
        #expect(workers.map(\.runningCount) == [1, 0])
        #expect(workers.map(\.isDraining) == [false, true])
        #expect(workers.allSatisfy { $0.slots == 8 && $0.lastBeatAt > $0.startedAt && $0.sinceBeat < .seconds(30) })
        let overview = try await store.queue()
        #expect(overview.lanes[.chat]?.completedCount == 6)
        #expect(overview.lanes[.chat]?.failedCount == 2)
        let noop = overview.kinds[QueueOverview.Subject(lane: .embedding, kind: .noop)]
        #expect(noop?.completedCount == 40)
        #expect(noop?.depth == 0)
    }

    @Test(.migratedDatabase) func `an overview is a second old at most, and new after a change of one's own`()
        async throws
    {
        let database = try TestDatabase.required()
        let store = OverviewStore(database: database.database)
        #expect(try await store.queue().lanes[.chat]?.readyCount == 0)
        _ = try await database.queue.enqueue([job("a", .chat)])
        store.forget()
        #expect(try await store.queue().lanes[.chat]?.readyCount == 1)
    }

    @Test(.migratedDatabase) func `samples show each lane's length and age`() async throws {
        let database = try TestDatabase.required()
        let metrics = MetricsRegistry()
        let sampler = QueueSampler(database: database.database, logger: .discard, metrics: metrics)
        let early = job("a", .chat)
        _ = try await database.queue.enqueue([early, job("a", .chat), job("b", .summary)])
        try await database.pool.execute(
            "UPDATE jobs SET created_at = now() - interval '1 hour', run_at = now() - interval '90 s' WHERE id = \(early.id)"
        )
        try await sampler.sample()
        func value(_ name: String, _ lane: Lane) -> Double {
            let text = metrics.prometheusText()
            let line = text.split(separator: "\n").first { $0.hasPrefix(#"\#(name){lane="\#(lane.name)"} "#) }
            return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? .nan
        }
        #expect(Lane.allCases.map { value("switchyard_queue_ready_jobs", $0) } == [2, 0, 1, 0])
        #expect((90..<150).contains(value("switchyard_queue_oldest_seconds", .chat)))
        #expect(value("switchyard_queue_oldest_seconds", .title) == 0)
        #expect(value("switchyard_queue_oldest_seconds", .summary) < 60)
    }

    @Test func `what another version tells of its runs is read as far as it is understood`() {
        let runs = [
            RecentRuns(kind: .chat, lane: .chat, completed: 3, failed: 1),
            RecentRuns(kind: JobKind(rawValue: "\"\\"), lane: .embedding, completed: 0, failed: 9),
        ]
        #expect(RecentRuns.parse(RecentRuns.text(runs)) == runs)
        let strange = #"[["chat",0,3,1,"more"],["chat",99,1,1],["chat",0,1],7,{"kind":"chat"}]"#
        #expect(RecentRuns.parse(strange) == [runs[0]])
        for text in ["", "{}", "[", "null"] { #expect(RecentRuns.parse(text) == []) }
    }
}

/// The statements' plans, over lines deeper than their bounds.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct OverviewPlanTests {
    @Test(arguments: [false, true]) func `overviews read no table to its end`(isGeneric: Bool) async throws {
        try await TestDatabase.withMigrated { database in
            for lane in Lane.allCases {
                _ = try await database.queue.enqueue(
                    (0..<5000).map { _ in
                        NewJob(id: Fixture.id(), kind: .noop, lane: lane, userID: Fixture.id(), payload: [0x7B, 0x7D])
                    })
            }
            try await TestCluster.withConnection(to: database.configuration.databaseName) { connection in
                for (name, value) in try TestCluster.configuration().withIndexedPlans.runtimeParameters {
                    _ = try await connection.query("SELECT set_config(\(name), \(value), false)")
                }
                try await connection.runScript("ANALYZE ready")
                try await connection.runScript("ANALYZE jobs")
                if isGeneric { try await connection.execute("SET plan_cache_mode = force_generic_plan") }
                for (sql, indexes) in [
                    (OverviewStatements.lines(maximum: 100), ["Index Only Scan using ready_pkey", "using jobs_pkey"]),
                    (
                        OverviewStatements.kinds(maximum: 100),
                        [
                            "using ready_pkey", "using waiting_pkey", "using running_pkey", "using deferred_pkey",
                            "using jobs_pkey",
                        ]
                    ),
                    (OverviewStatements.pausedKinds, ["using paused_kinds_pkey"]),
                    (OverviewStatements.workers, [" running_worker"]),
                ] {
                    try await connection.runScript("PREPARE probe AS \(sql.text)")
                    let values: SQL =
                        sql.binds.isEmpty
                        ? "" : "(\(fragment: SQL.joined(sql.binds.map { _ in "100" as SQL }, separator: ", ")))"
                    let rows = try await connection.query(
                        "EXPLAIN (ANALYZE, TIMING OFF) EXECUTE probe \(fragment: values)")
                    try await connection.runScript("DEALLOCATE probe")
                    let plan = try rows.decode(String.self).joined(separator: "\n")
                    for index in indexes { #expect(plan.contains(index), "\(plan)") }
                    // Nothing passes on more rows than the bounds of seven scans allow.
                    let counts = plan.matches(of: #/actual rows=(\d+)/#).compactMap { Int($0.output.1) }
                    #expect(!counts.isEmpty && counts.allSatisfy { $0 <= 700 }, "\(plan)")
                }
            }
        }
    }
}
