// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct ProtectedQueueTests {
    private static let settings = SystemSettings(defaults: [
        .registrationEnabled: true, .brandText: "Switchyard", .sseHeartbeatIntervalMilliseconds: 15000,
        .providerMaxIdleMilliseconds: 60000, .providerTimeoutMilliseconds: 600_000, .usageEmit: true,
        .usageProviderOnly: false, .titleEnabled: true, .summaryEnabled: true, .rateLimitMax: 600,
        .rateLimitIPMax: 1200, .rateLimitWindowMilliseconds: 60000, .authRateLimitMax: 20,
    ])

    private func queue(_ setting: KeeperFixture.Setting, _ index: Int = 0) -> ProtectedQueue {
        ProtectedQueue(
            setting.queue, keeper: setting.keepers[index],
            chooser: ModelChooser(
                store: setting.store,
                settings: SettingsStore(
                    database: setting.database.database, defaults: Self.settings, logger: .discard),
                fallback: nil))
    }

    private func jobs(_ count: Int, model: ModelID, gate: Int16 = 0, priority: Int16 = 0) -> [NewJob] {
        (0..<count).map { _ in
            let payload = ChatPayload(
                sessionID: WorkerFixture.id(), messageID: WorkerFixture.id(), userMessageID: WorkerFixture.id(),
                modelID: model, parameters: [:])
            var job = NewJob(
                id: WorkerFixture.id(), kind: .chat, lane: .chat, userID: WorkerFixture.id(), payload: payload.json)
            (job.gate, job.priority) = (gate, priority)
            return job
        }
    }

    @Test func `a claim steps over a blocked provider's backlog to the jobs of the others`() async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits()) { setting in
            setting.keepers[0].report(.busy(for: .seconds(600)), of: setting.model.id)
            _ = try await setting.queue.enqueue(jobs(200, model: setting.model.id))
            let others = jobs(3, model: WorkerFixture.id(), priority: -100)
            _ = try await setting.queue.enqueue(others)
            let claimed = try await queue(setting).claim(
                ClaimLimit(total: 8, background: 0), worker: setting.keepers[0].id)
            #expect(Set(claimed.map(\.lease.job)) == Set(others.map(\.id)))
            let waiting = try await setting.database.pool.query(
                """
                SELECT count(*)::integer, count(DISTINCT due)::integer, min(attempt), max(attempt),
                       min(due) > now() + interval '590 seconds'
                FROM deferred WHERE reason = 'rate_limited'
                """
            ).decodeFirst(Int32.self, Int32.self, Int16.self, Int16.self, Bool.self)
            #expect(waiting?.0 == 200 && waiting?.2 == 0 && waiting?.3 == 0 && waiting?.4 == true)
            // Spread, so that not all come back at one instant.
            #expect((waiting?.1 ?? 0) > 100)
        }
    }

    @Test func `jobs that may go do not wait until a blocked backlog is put off`() async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits()) { setting in
            setting.keepers[0].report(.busy(for: .seconds(600)), of: setting.model.id)
            let others = jobs(3, model: WorkerFixture.id(), priority: 100)
            _ = try await setting.queue.enqueue(others)
            _ = try await setting.queue.enqueue(jobs(200, model: setting.model.id))
            let (queue, id) = (queue(setting), setting.keepers[0].id)
            let claimed = try await queue.claim(ClaimLimit(total: 8, background: 0), worker: id)
            #expect(Set(claimed.map(\.lease.job)) == Set(others.map(\.id)))
            #expect(try await setting.database.pool.query("SELECT FROM ready").count == 195)
            // The rest is the next claim's, which nobody has to wait for.
            #expect(setting.wakes.withLock { $0 } == 1)
            #expect(try await queue.claim(ClaimLimit(total: 5, background: 0), worker: id).isEmpty)
            #expect(try await setting.database.pool.query("SELECT FROM deferred").count == 200)
        }
    }

    @Test func `claims take from a gate as many jobs as their process has permits`() async throws {
        let limits = ProviderLimits(maximumConcurrent: 3)
        // With a long minute permits are not given back while the test looks.
        try await KeeperFixture.with(keepers: 2, limits, minute: .seconds(3600), freeSlots: 16) { setting in
            var gate: Int16?
            while gate == nil {
                gate = setting.keepers[0].board.gates.first?.number
                await Task.yield()
            }
            while setting.keepers[1].board.gates.isEmpty { await Task.yield() }
            _ = try await setting.queue.enqueue(jobs(20, model: setting.model.id, gate: gate ?? 0))
            for keeper in setting.keepers { keeper.lineChanged() }
            var claimed = 0
            while claimed < 3 {
                for index in 0..<2 {
                    claimed += try await queue(setting, index).claim(
                        ClaimLimit(total: 16, background: 0), worker: setting.keepers[index].id
                    ).count
                }
            }
            #expect(claimed == 3)
            for index in 0..<2 {
                let more = try await queue(setting, index).claim(
                    ClaimLimit(total: 16, background: 0), worker: setting.keepers[index].id)
                #expect(more.isEmpty)
            }
            #expect(try await setting.database.pool.query("SELECT FROM ready").count == 17)
        }
    }
}
