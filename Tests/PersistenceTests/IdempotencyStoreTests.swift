// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct IdempotencyStoreTests {
    private func key(_ fixture: Fixture, _ key: String = "k", route: String = "POST /x", body: String = "{}")
        -> IdempotencyKey
    {
        IdempotencyKey(userID: fixture.user, route: route, key: key, body: Array(body.utf8))
    }

    private func claim(
        _ key: IdempotencyKey, _ fixture: Fixture, job: JobID? = nil, outcome: String = "first"
    ) async throws -> IdempotencyOutcome {
        try await fixture.database.withTransaction {
            try await IdempotencyStore.claim(key, job: job, outcome: outcome, in: $0)
        }
    }

    @Test func `the same request finds what the first has made and another is told apart`() async throws {
        let fixture = try await Fixture.make()
        let job: JobID = Fixture.id()
        let key = key(fixture)
        #expect(try await claim(key, fixture, job: job, outcome: "made") == .new)
        #expect(try await claim(key, fixture, outcome: "again") == .existing(job: job, outcome: "made"))
        let other = self.key(fixture, body: "{ }")
        #expect(try await claim(other, fixture) == .mismatch)
        let store = IdempotencyStore(database: fixture.database)
        #expect(try await store.find(key) == .existing(job: job, outcome: "made"))
        #expect(try await store.find(other) == .mismatch)
        #expect(try await store.find(self.key(fixture, "unused")) == .new)
    }

    @Test func `a key belongs to a user and a route`() async throws {
        let (ann, bob) = (try await Fixture.make(), try await Fixture.make())
        #expect(try await claim(key(ann), ann) == .new)
        #expect(try await claim(key(bob, body: "other"), bob) == .new)
        #expect(try await claim(key(ann, route: "POST /y", body: "other"), ann) == .new)
    }

    @Test func `what is rolled back frees the key`() async throws {
        struct Failed: Error {}
        let fixture = try await Fixture.make()
        let key = key(fixture)
        let failure = try await code {
            try await fixture.database.withTransaction { transaction in
                let outcome = try await IdempotencyStore.claim(key, job: nil, outcome: "lost", in: transaction)
                #expect(outcome == .new)
                throw Failed()
            }
        }
        #expect(failure == .internal)
        #expect(try await claim(key, fixture, outcome: "second") == .new)
    }

    @Test(arguments: [true, false])
    func `a duplicate at the same time waits for the first`(commits: Bool) async throws {
        // A database of its own: holder, duplicate and observer each need a connection at the same time.
        try await TestDatabase.withMigrated { database in
            let fixture = try await Fixture.make(in: database)
            let key = key(fixture)
            let claimed = ShutdownSignal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await hold(key, fixture, commits: commits) { claimed.trigger() } }
                await claimed.wait()
                let outcome = try await claim(key, fixture, outcome: "second")
                #expect(outcome == (commits ? .existing(job: nil, outcome: "first") : .new))
                try await group.waitForAll()
            }
        }
    }

    /// Claims a key and ends the transaction only when another waits for it.
    private func hold(
        _ key: IdempotencyKey, _ fixture: Fixture, commits: Bool, _ onClaimed: @Sendable () -> Void
    ) async throws {
        struct Failed: Error {}
        let failure = try await code {
            try await fixture.database.withTransaction { transaction in
                _ = try await IdempotencyStore.claim(key, job: nil, outcome: "first", in: transaction)
                onClaimed()
                var waiting = 0
                while waiting == 0 {
                    let rows = try await fixture.database.pool.query(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                          AND query LIKE '%idempotency_keys%'
                        """)
                    waiting = try rows.decodeFirst(Int.self) ?? 0
                }
                if !commits { throw Failed() }
            }
        }
        #expect(failure == (commits ? nil : .internal))
    }

    @Test func `keys are forgotten after their time`() async throws {
        let fixture = try await Fixture.make()
        let store = IdempotencyStore(database: fixture.database)
        let (old, young) = (key(fixture, "old"), key(fixture, "young"))
        _ = try await claim(old, fixture)
        _ = try await claim(young, fixture)
        try await fixture.database.pool.execute(
            """
            UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'
            WHERE user_id = \(fixture.user) AND key = 'old'
            """)
        #expect(try await store.deleteOld() == 1)
        #expect(try await store.find(old) == .new)
        #expect(try await store.find(young) == .existing(job: nil, outcome: "first"))
    }
}
