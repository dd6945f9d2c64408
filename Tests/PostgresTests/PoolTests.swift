// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime
import Synchronization
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct PoolTests {
    /// Runs a pool for the length of the body, then shuts it down in order.
    private func withPool(
        _ change: (inout PostgresPool.Limits) -> Void = { _ in }, configuration: PostgresConfiguration? = nil,
        _ body: @Sendable (PostgresPool) async throws -> Void
    ) async throws {
        var limits = PostgresPool.Limits()
        limits.maximumConnections = 2
        limits.borrowTimeout = .seconds(30)
        change(&limits)
        let pool = PostgresPool(
            name: "test", try configuration ?? TestServer.configuration(), limits: limits,
            loops: [try TestServer.loop, try TestServer.loop], blocking: TestServer.blocking, logger: .discard,
            metrics: MetricsRegistry())
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run(shutdown) }
            defer { shutdown.trigger() }
            try await body(pool)
        }
        let late = await TestServer.outcome { () throws(PostgresError) in try await pool.query("SELECT 1") }
        #expect(late.failure?.code == .closed)
        #expect(pool.metrics.inUse.value == 0 && pool.metrics.open.value == 0)
    }

    @Test func `many borrowers share few connections`() async throws {
        try await withPool { pool in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<100 {
                    group.addTask { try await pool.query("SELECT \(number)")[0].decode(Int.self) }
                }
                let sum = try await group.reduce(0, +)
                #expect(sum == 4950)
            }
            #expect(pool.metrics.connects.value <= 2)
            #expect(pool.metrics.wait.count == 100)
            #expect(try await pool.pipeline(["SELECT 1", "SELECT 2"]).count == 2)
        }
    }

    @Test func `two transactions in one trip come one after the other, and a failed first stops no second`()
        async throws
    {
        try await withPool { pool in
            try await pool.withConnection { connection in
                _ = try await connection.query("CREATE TEMP TABLE two (value integer PRIMARY KEY)")
                let (first, second) = await connection.query(
                    "INSERT INTO two VALUES (1) RETURNING value", then: "SELECT count(*) FROM two")
                let inserted = try first.get().decodeFirst(Int32.self)
                let seen = try second.get().decodeFirst(Int64.self)
                #expect(inserted == 1 && seen == 1)
                let (failed, after) = await connection.query(
                    "INSERT INTO two VALUES (1)", then: "INSERT INTO two VALUES (2)")
                #expect(throws: PostgresError.self) { try failed.get() }
                let affected = try after.get().affectedRows
                let left = try await connection.query("SELECT count(*) FROM two").decodeFirst(Int64.self)
                #expect(affected == 1 && left == 2)
            }
        }
    }

    @Test(arguments: [0, 1, 2])
    func `what failed for another transaction's sake is run again, both of it, as often as asked`(
        repeats: Int
    ) async throws {
        try await withPool {
            $0.maximumConnections = 1
        } _: { pool in
            // A sequence counts what is rolled back as well. The pool has one connection, so it is there each time.
            try await pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE TEMP SEQUENCE tries; CREATE TEMP SEQUENCE seconds;
                    CREATE FUNCTION pg_temp.fail_twice() RETURNS bigint LANGUAGE plpgsql AS $$
                    BEGIN
                        IF nextval('tries') < 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;
                        RETURN currval('tries');
                    END $$
                    """)
            }
            let outcome = await TestServer.outcome { () throws(PostgresError) -> (Int64?, Int64?) in
                let (rows, second) = try await pool.query(
                    "SELECT pg_temp.fail_twice()", then: "SELECT nextval('seconds')", repeats: repeats)
                return (try rows.decodeFirst(Int64.self), try second.get().decodeFirst(Int64.self))
            }
            if repeats == 2 {
                let (tries, seconds) = try outcome.get()
                #expect(tries == 3 && seconds == 3)
            } else {
                #expect(outcome.failure?.isSerializationFailure == true)
            }
            #expect(Int(pool.metrics.repeats.value) == repeats)
        }
    }

    @Test func `borrowers are served in order, and one that gives up is not`() async throws {
        try await withPool {
            $0.maximumConnections = 1
        } _: { pool in
            let order = Order()
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await pool.withConnection { _ in
                    for number in 0..<5 {
                        group.addTask { try await pool.withConnection { _ in order.append(number) } }
                        while pool.metrics.waiting.value < Double(number + 1) { await Task.yield() }
                    }
                    let late = await TestServer.outcome { () throws(PostgresError) in
                        try await pool.query("SELECT 1", deadline: .now + .milliseconds(20))
                    }
                    #expect(late.failure?.code == .poolTimeout)
                    #expect(late.failure?.isUnavailable == true)
                    await withTaskGroup(of: Void.self) { inner in
                        inner.addTask {
                            let cancelled = await TestServer.outcome { () throws(PostgresError) in
                                try await pool.query("SELECT 1")
                            }
                            #expect(cancelled.failure?.code == .cancelled)
                        }
                        while pool.metrics.waiting.value < 6 { await Task.yield() }
                        inner.cancelAll()
                    }
                }
                try await group.waitForAll()
            }
            #expect(order.numbers == [0, 1, 2, 3, 4])
        }
    }

    private final class Order: Sendable {
        private let list = Mutex<[Int]>([])
        var numbers: [Int] { list.withLock { $0 } }
        func append(_ number: Int) { list.withLock { $0.append(number) } }
    }

    @Test func `a terminated connection is replaced, idle or lent`() async throws {
        try await withPool {
            $0.maximumConnections = 1
        } _: { pool in
            for _ in 0..<3 {
                let processID = try await pool.withConnection { $0.serverProcessID }
                try await TestServer.terminate(processID)
                #expect(try await pool.query("SELECT 1").count == 1)
                await #expect(throws: PostgresError.self) {
                    try await pool.withConnection { connection in
                        try await TestServer.terminate(connection.serverProcessID)
                        _ = try await connection.query("SELECT 1")
                    }
                }
                #expect(try await pool.query("SELECT 1").count == 1)
            }
            #expect(pool.metrics.connects.value == 7)
        }
    }

    @Test func `a connection left in a transaction is not lent again`() async throws {
        try await withPool {
            $0.maximumConnections = 1
        } _: { pool in
            let first = try await pool.withConnection { connection in
                try await connection.execute("BEGIN")
                return connection.serverProcessID
            }
            let second = try await pool.withConnection { $0.serverProcessID }
            #expect(first != second)
        }
    }

    @Test func `an idle connection is pinged, and closed when it does not answer`() async throws {
        try await withPool {
            $0.maximumConnections = 1
            $0.checkAfter = .milliseconds(1)
        } _: { pool in
            let processID = try await pool.withConnection { connection in
                try await connection.execute("CREATE TEMP TABLE pinged (a int8)")
                return connection.serverProcessID
            }
            let observer = try await TestServer.connect()
            try await TestServer.until(
                observer, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(processID) AND query = 'SELECT 1')"
            )
            #expect(try await pool.query("SELECT * FROM pinged").isEmpty)
            await observer.close()
        }
    }

    @Test func `while the database is away callers wait until their deadline`() async throws {
        let nowhere = try PostgresConfiguration(url: "postgresql://u@127.0.0.1:1/d")
        try await withPool(
            {
                $0.minimumConnections = 1
                $0.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1))
            }, configuration: nowhere
        ) { pool in
            while pool.metrics.failures.value < 2 { await Task.yield() }
            let outcome = await TestServer.outcome { () throws(PostgresError) in
                try await pool.query("SELECT 1", deadline: .now + .milliseconds(100))
            }
            #expect(outcome.failure?.code == .poolTimeout)
            #expect(outcome.failure?.isUnavailable == true)
            #expect(outcome.failure?.debugDescription.contains("connection_failed") == true)
        }
    }

    @Test func `a transaction that failed for another one's sake is run again`() async throws {
        let table = try await TestServer.connect()
        try await table.execute("CREATE TABLE pool_tests_counter (n int8 NOT NULL)")
        try await table.execute("INSERT INTO pool_tests_counter VALUES (0)")
        try await withPool { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await pool.withTransaction(.serializable, repeats: 100) { transaction in
                            let old = try await transaction.query("SELECT n FROM pool_tests_counter")[0].decode(
                                Int.self)
                            try await transaction.execute("UPDATE pool_tests_counter SET n = \(old + 1)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.query("SELECT n FROM pool_tests_counter")[0].decode(Int.self) == 8)
        }
        try await table.execute("DROP TABLE pool_tests_counter")
        await table.close()
    }

    @Test func `a cancelled pool ends`() async throws {
        let pool = PostgresPool(
            name: "cancelled", try TestServer.configuration(), loops: [try TestServer.loop],
            blocking: TestServer.blocking, logger: .discard, metrics: MetricsRegistry())
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run(shutdown) }
            _ = try await pool.query("SELECT 1")
            group.cancelAll()
        }
        #expect(pool.metrics.open.value == 0)
    }
}
