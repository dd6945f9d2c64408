// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

/// Enqueuing from plain SQL, as any program can: the same as the program's own enqueue, within a transaction of its own.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct EnqueueFunctionTests {
    private struct RolledBack: Error {}

    private func with(_ body: @Sendable (QueueUnderTest, TestDatabase, String) async throws -> Void) async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            try await body(QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }, database, name)
        }
    }

    @Test func `a job from SQL is the same as one from the program`() async throws {
        try await with { test, database, name in
            var job = test.job(.title, key: SerialKey(high: 1, low: 1), priority: 3)
            job.maximumAttempts = 2
            job.runLimit = .seconds(90)
            _ = try await test.queue.enqueue([job])
            let other = try await TestCluster.withConnection(to: name) { connection in
                try await connection.query(
                    """
                    SELECT enqueue('noop', '{}', \(test.user), lane => 'title', priority => 3, max_attempts => 2,
                                   run_limit => '90 seconds', serial_key => \(job.serialKey))
                    """
                ).decodeFirst(JobID.self)
            }
            let second = try #require(other)
            let rows = try await database.pool.query(
                """
                SELECT kind || lane || gate || user_id || coalesce(serial_key::text, '') || payload || priority
                    || max_attempts || deadline_ms
                FROM jobs
                """
            ).decode(String.self)
            #expect(rows.count == 2 && Set(rows).count == 1)
            let first = try await test.claim()
            #expect(first.map(\.lease.job) == [job.id])
            _ = try await test.settle(first[0])
            #expect(try await test.claim().map(\.lease.job) == [second])
            // Its id tells when it was made, as the log's partitions need.
            #expect(second.high >> 12 & 0xF == 7)
            let age = try await database.pool.query(
                "SELECT abs(extract(epoch FROM clock_timestamp()) * 1000 - \(Int64(second.high >> 16))) < 60000"
            ).decodeFirst(Bool.self)
            #expect(age == true)
        }
    }

    @Test func `a job is seen when the transaction commits and never when it does not`() async throws {
        try await with { test, database, name in
            try await TestCluster.withConnection(to: name) { connection in
                try await connection.execute("BEGIN")
                _ = try await connection.query(
                    "SELECT enqueue('noop', '{\"a\": 1}'::jsonb, \(test.user), unique_key => 'k')")
                #expect(try await test.claim().isEmpty)
                try await connection.execute("ROLLBACK")
                #expect(try await test.claim().isEmpty)
                try await connection.execute("BEGIN")
                let id = try await connection.query(
                    "SELECT enqueue('noop', '{\"a\": 1}'::jsonb, \(test.user), unique_key => 'k')"
                ).decodeFirst(JobID.self)
                let again = try await connection.query(
                    "SELECT enqueue('noop', '{}', \(test.user), unique_key => 'k')"
                ).decodeFirst(JobID.self)
                try await connection.execute("COMMIT")
                let claimed = try await test.claim()
                #expect(claimed.map(\.lease.job) == [id] && again == id)
                #expect(claimed.map(\.payload) == [Array(#"{"a": 1}"#.utf8)] && claimed[0].lane == .embedding)
            }
        }
    }

    @Test(arguments: [true, false])
    func `workers are told at the commit, unless that is not wanted`(notifies: Bool) async throws {
        try await with { test, database, name in
            try await JobNotices.hear(in: database) { notices in
                _ = try await database.pool.query(
                    "SELECT enqueue('noop', '{}', \(test.user), lane => 'summary', notify => \(notifies))")
                #expect(try await notices.next() == (notifies ? ["jobs 2"] : []))
            }
        }
    }

    @Test(arguments: [
        "enqueue('noop', '{}', gen_random_uuid(), lane => 'fast')", "enqueue('noop', '{', gen_random_uuid())",
        "enqueue('noop', '{}', gen_random_uuid(), priority => 101)", "enqueue('noop', '{}', NULL)",
        "enqueue('noop', '{}', gen_random_uuid(), max_attempts => 0)",
        "enqueue('noop', '{}', gen_random_uuid(), unique_key => '')",
        "enqueue('noop', '{}', gen_random_uuid(), run_limit => '0')",
        "enqueue('noop', '{}', gen_random_uuid(), run_limit => '31 days')",
        "enqueue('noop', '{}', gen_random_uuid(), run_limit => '1000000 years')",
        "enqueue('noop', '{}', gen_random_uuid(), run_at => 'infinity')",
        "enqueue('noop', '{}', gen_random_uuid(), run_at => '-infinity')",
        "enqueue('noop', '{}', gen_random_uuid(), run_at => '10000-01-01')",
        "enqueue('noop', '{}', gen_random_uuid(), gate => 7)",
        "enqueue('noop', '{}', gen_random_uuid(), gate => 70000)",
        "enqueue('noop', '{}'::jsonb, gen_random_uuid(), run_at => 'infinity')",
    ])
    func `what makes no job is refused`(call: String) async throws {
        try await with { test, database, name in
            await #expect(throws: PostgresError.self) {
                try await TestCluster.withConnection(to: name) { try await $0.runScript("SELECT \(call)") }
            }
            let count = try await database.pool.query("SELECT count(*) FROM jobs").decodeFirst(Int.self)
            #expect(count == 0)
        }
    }
}
