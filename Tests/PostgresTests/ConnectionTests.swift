// SPDX-License-Identifier: Apache-2.0
import Observability
import Synchronization
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test func `a thousand statements of 64 tasks come back to those who asked`() async throws {
        let connection = try await TestServer.connect()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<64 {
                group.addTask {
                    for number in 0..<16 {
                        let asked = Int64(task * 1000 + number)
                        let rows = try await connection.query("SELECT \(asked), \("task \(task)")")
                        #expect(try rows[0].decode(Int64.self, String.self) == (asked, "task \(task)"))
                    }
                }
            }
            try await group.waitForAll()
        }
        await connection.close()
    }

    @Test func `a failure in a pipeline undoes all of it and nothing else`() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute("CREATE TEMP TABLE t (id int8 PRIMARY KEY)")
        try await connection.execute("INSERT INTO t VALUES (\(1))")
        async let before = connection.query("SELECT \("before")")
        async let batch = TestServer.outcome { () throws(PostgresError) in
            try await connection.pipeline([
                "INSERT INTO t VALUES (\(2))", "INSERT INTO t VALUES (\(1))", "SELECT \("never run, never prepared")",
            ])
        }
        async let after = connection.query("SELECT \("after")")
        #expect(try await before[0].decode(String.self) == "before")
        let error = await batch.failure
        #expect(error?.isUniqueViolation == true)
        #expect(error?.constraint == "t_pkey")
        #expect(error?.statement == "INSERT INTO t VALUES ($1)")
        #expect(try await after[0].decode(String.self) == "after")
        #expect(try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self) == 1)
        #expect(try await connection.query("SELECT \("never run, never prepared")").count == 1)
        await connection.close()
    }

    @Test func `what a pipeline returns is one result a statement`() async throws {
        let connection = try await TestServer.connect()
        let results = try await connection.pipeline([
            "CREATE TEMP TABLE p (id int8)", "SELECT 1 WHERE false", "SELECT * FROM generate_series(1, 3)",
        ])
        #expect(results.map(\.count) == [0, 0, 3])
        #expect(try await connection.pipeline([]).isEmpty)
        #expect(try await connection.execute("INSERT INTO p SELECT * FROM generate_series(1, 7)") == 7)
        await connection.close()
    }

    @Test func `errors say what is safe, and the rest only to a debugger`() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(
            "CREATE TEMP TABLE secrets (word text CONSTRAINT no_secret CHECK (word <> 'xyzzy'))")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.execute("INSERT INTO secrets VALUES (\("xyzzy"))")
        }
        let thrown = try #require(error)
        #expect(thrown.code == .sqlState("23514"))
        #expect("\(thrown)" == "postgres 23514 constraint no_secret table secrets")
        #expect(String(reflecting: thrown).contains("xyzzy"))
        #expect(!thrown.isRetryable && !thrown.isUnavailable)
        await connection.close()
    }

    @Test func `a syntax error is reported and prepares nothing`() async throws {
        let connection = try await TestServer.connect()
        for _ in 0..<2 {
            let error = await #expect(throws: PostgresError.self) { _ = try await connection.query("SELEC \(1)") }
            #expect(error?.sqlState == "42601")
        }
        #expect(await connection.cache.count == 0)
        await connection.close()
    }

    @Test func `a constraint that fails at the commit is the call's error`() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute("CREATE TEMP TABLE d (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        async let failing = TestServer.outcome { () throws(PostgresError) in
            try await connection.pipeline(["INSERT INTO d VALUES (1)", "INSERT INTO d VALUES (1)"])
        }
        async let following = connection.query("SELECT 5")
        let error = await failing.failure
        #expect(error?.isUniqueViolation == true)
        #expect(try await following[0].decode(Int.self) == 5)
        await connection.close()
    }

    @Test func `more texts than are kept prepared`() async throws {
        let connection = try await TestServer.connect { $0.preparedStatementLimit = 3 }
        let texts: [SQL] = ["SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4", "SELECT 5"]
        for _ in 0..<3 {
            for (index, sql) in texts.enumerated() {
                #expect(try await connection.query(sql)[0].decode(Int.self) == index + 1)
            }
        }
        #expect(try await connection.pipeline(texts + texts).count == 10)
        let count = try await connection.query("SELECT count(*) FROM pg_prepared_statements")[0].decode(Int.self)
        #expect(count <= 4)
        await connection.close()
    }

    @Test func `a plan made void by a change of the schema is made again`() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute("CREATE TEMP TABLE v (a int8)")
        #expect(try await connection.query("SELECT * FROM v").columnNames == ["a"])
        try await connection.execute("ALTER TABLE v ADD b text")
        #expect(try await connection.query("SELECT * FROM v").columnNames == ["a", "b"])
        try await connection.runScript("DEALLOCATE ALL")
        #expect(try await connection.query("SELECT * FROM v").columnNames == ["a", "b"])
        await connection.close()
    }

    @Test func `a void plan that fails a transaction or a pipeline fails no second one`() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute("CREATE TEMP TABLE v (a int8)")
        _ = try await connection.query("SELECT * FROM v")
        try await connection.execute("ALTER TABLE v ADD b text")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { _ = try await $0.query("SELECT * FROM v") }
        }
        #expect(error?.sqlState == "0A000")
        try await connection.withTransaction { _ = try await $0.query("SELECT * FROM v") }
        try await connection.execute("ALTER TABLE v ADD c text")
        await #expect(throws: PostgresError.self) { try await connection.pipeline(["SELECT 1", "SELECT * FROM v"]) }
        #expect(try await connection.pipeline(["SELECT 1", "SELECT * FROM v"])[1].columnNames == ["a", "b", "c"])
        await connection.close()
    }

    @Test func `a script runs between pipelined calls`() async throws {
        let connection = try await TestServer.connect()
        async let first = connection.query("SELECT 1")
        async let script: Void = connection.runScript("CREATE TEMP TABLE s (a int8); INSERT INTO s VALUES (1), (2);")
        async let last = connection.query("SELECT 3")
        _ = try await (first, last)
        try await script
        #expect(try await connection.query("SELECT count(*) FROM s")[0].decode(Int.self) == 2)
        let error = await #expect(throws: PostgresError.self) {
            try await connection.runScript("INSERT INTO s VALUES (3); SELECT 1/0; INSERT INTO s VALUES (4)")
        }
        #expect(error?.sqlState == "22012")
        #expect(try await connection.query("SELECT count(*) FROM s")[0].decode(Int.self) == 2)
        await connection.close()
    }

    @Test func `settings hold from the first statement`() async throws {
        let connection = try await TestServer.connect {
            $0.applicationName = "it's a \\ test"
            $0.runtimeParameters = ["synchronous_commit": "off", "search_path": "\"a b\", \"c\\d\""]
        }
        let settings = try await connection.query(
            """
            SELECT current_setting('synchronous_commit'), current_setting('application_name'),
            current_setting('search_path')
            """)[0].decode(String.self, String.self, String.self)
        #expect(settings == ("off", "it's a \\ test", "\"a b\", \"c\\d\""))
        await connection.close()
    }

    @Test func `notifications come in order`() async throws {
        let received = Mutex<[String]>([])
        let gate = Gate()
        let connection = try await TestServer.connect(onNotification: { channel, payload in
            let count = received.withLock { list in
                list.append("\(channel) \(payload)")
                return list.count
            }
            if count == 3 { gate.open() }
        })
        try await connection.execute("LISTEN postgres_tests_order")
        let other = try await TestServer.connect()
        for payload in ["1", "", "Ä"] {
            try await other.execute("SELECT pg_notify('postgres_tests_order', \(payload))")
        }
        await gate.wait()
        #expect(
            received.withLock { $0 } == ["postgres_tests_order 1", "postgres_tests_order ", "postgres_tests_order Ä"])
        await connection.close()
        await other.close()
    }

    @Test func `a name is resolved before libpq sees it`() async throws {
        let url = try #require(TestServer.url).replacing("127.0.0.1", with: "localhost")
        let configuration = try PostgresConfiguration(url: url)
        #expect(configuration.needsNameServer)
        let connection = try await PostgresConnection.connect(
            configuration, on: try TestServer.loop, blocking: TestServer.blocking, logger: .discard)
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
    }

    @Test func `a full line refuses`() async throws {
        let connection = try await TestServer.connect {
            $0.inFlightLimit = 1
            $0.waitingLimit = 2
        }
        await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 { group.addTask { _ = try await connection.query("SELECT pg_sleep(50)") } }
            await TestServer.until(connection, inFlight: 1, waiting: 2)
            let refused = await TestServer.outcome { () throws(PostgresError) in
                try await connection.query("SELECT 1")
            }
            #expect(refused.failure?.code == .queueFull)
            #expect(refused.failure?.isRetryable == true)
            group.cancelAll()
        }
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
    }
}
