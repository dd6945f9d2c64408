// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct PutOffTests {
    private func jobs(_ count: Int, _ database: TestDatabase) async throws -> [ClaimedJob] {
        let user = try await Fixture.make(in: database).user
        _ = try await database.queue.enqueue(
            (0..<count).map { _ in
                NewJob(id: Fixture.id(), kind: .chat, lane: .chat, userID: user, payload: [0x7B, 0x7D])
            })
        return try await database.queue.claim(ClaimLimit(total: count, background: 0), worker: Fixture.id())
    }

    @Test func `claimed jobs go back to wait with their attempt, reason and time`() async throws {
        try await TestDatabase.withMigrated { database in
            let store = ProviderStore(database: database.database)
            let claimed = try await jobs(3, database)
            #expect(claimed.map(\.attempt) == [1, 1, 1])
            let moved = try await store.putOff(
                claimed.map { PutOff(lease: $0.lease, delay: .milliseconds(40), reason: "provider_busy") })
            #expect(moved == Set(claimed.map(\.lease.job)))
            let record = try await database.queue.record(claimed[0].lease.job, owner: claimed[0].userID)
            #expect(record?.state == .scheduled && record?.attempt == 0)
            let reasons = try await database.pool.query("SELECT DISTINCT reason FROM deferred").decode(String.self)
            #expect(reasons == ["provider_busy"])
            #expect(try await database.pool.query("SELECT FROM job_errors").isEmpty)
            var again: [ClaimedJob] = []
            while again.count < 3 {
                let due = try await database.queue.moveDue()
                if let next = due.nextDue { try await ContinuousClock().sleep(for: next) }
                again += try await database.queue.claim(ClaimLimit(total: 3, background: 0), worker: Fixture.id())
            }
            #expect(again.map(\.attempt) == [1, 1, 1] && again.allSatisfy { !$0.needsRestart })
            #expect(
                again.allSatisfy { job in
                    claimed.contains { $0.lease.job == job.lease.job && $0.lease.number < job.lease.number }
                })
        }
    }

    @Test func `a job retried by hand waits behind no gate that has gone`() async throws {
        try await TestDatabase.withMigrated { database in
            try await database.pool.execute("INSERT INTO providers (model, gate) VALUES (gen_random_uuid(), 5)")
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            let job = try await test.enqueue(gate: 5)
            let open = GateAllowance(gate: 5, atMost: 1)
            for isThere in [true, false] {
                let claimed = try #require(try await test.claim(1, gates: [open]).first)
                _ = try await test.settle(claimed, .failed(JobFailure(.fatal, .internalError, "no")))
                if !isThere { try await database.pool.execute("DELETE FROM providers") }
                _ = try await database.queue.retry(job, owner: nil)
                let gate = try await database.pool.query("SELECT gate FROM ready").decodeFirst(Int16.self)
                #expect(gate == (isThere ? 5 : 0))
            }
            #expect(try await test.claim(1).map(\.lease.job) == [job])
        }
    }

    @Test func `a job that waits for its provider is cancelled at once`() async throws {
        try await TestDatabase.withMigrated { database in
            let claimed = try await jobs(1, database)[0]
            _ = try await ProviderStore(database: database.database).putOff(
                [PutOff(lease: claimed.lease, delay: .seconds(3600), reason: "rate_limited")])
            guard case .ended = try await database.queue.cancel(claimed.lease.job, owner: claimed.userID) else {
                Issue.record("a waiting job was not ended")
                return
            }
            #expect(try await database.queue.record(claimed.lease.job, owner: claimed.userID)?.state == .cancelled)
        }
    }

    @Test func `a stale lease and a job that is to be cancelled are left alone`() async throws {
        try await TestDatabase.withMigrated { database in
            let claimed = try await jobs(2, database)
            guard case .requested = try await database.queue.cancel(claimed[0].lease.job, owner: claimed[0].userID)
            else {
                Issue.record("a running job was not marked")
                return
            }
            let stale = Lease(job: claimed[1].lease.job, number: claimed[1].lease.number - 1)
            let moved = try await ProviderStore(database: database.database).putOff(
                [claimed[0].lease, stale].map { PutOff(lease: $0, delay: .seconds(1), reason: "provider_busy") })
            #expect(moved.isEmpty)
            #expect(try await database.pool.query("SELECT FROM running").count == 2)
        }
    }

    @Test func `the models of sessions are found for their owners only`() async throws {
        try await TestDatabase.withMigrated { database in
            let (ann, bob) = (try await Fixture.make(in: database), try await Fixture.make(in: database))
            let model: ModelID = Fixture.id()
            let (named, bare) = (try await ann.session(model: model), try await ann.session())
            let store = ProviderStore(database: database.database)
            let found = try await store.models(
                of: [(named.id, owner: ann.user), (bare.id, owner: ann.user), (named.id, owner: bob.user)])
            #expect(found == [named.id: model, bare.id: nil])
        }
    }
}
