// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime
import Synchronization
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct FaultTests {
    private func sleeping(_ connection: PostgresConnection) -> SQL {
        """
        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(connection.serverProcessID) AND state = 'active'
        AND query LIKE 'SELECT pg_sleep%')
        """
    }

    @Test func `a cancelled task cancels its statement on the server, and nobody else's`() async throws {
        let connection = try await TestServer.connect()
        let observer = try await TestServer.connect()
        let condition = sleeping(connection)
        let outcome = await withTaskGroup(of: Result<Int, PostgresError>.self) { group in
            group.addTask {
                await TestServer.outcome { () throws(PostgresError) in
                    try await connection.query("SELECT pg_sleep(50)").count
                }
            }
            do { try await TestServer.until(observer, condition) } catch { Issue.record(error) }
            async let innocent = TestServer.outcome { () throws(PostgresError) in
                try await connection.query("SELECT \("behind it")").count
            }
            group.cancelAll()
            #expect(await innocent == .success(1))
            return await group.next()
        }
        #expect(outcome?.failure?.code == .cancelled)
        #expect(connection.isOpen)
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
        await observer.close()
    }

    @Test func `a statement that waits in line is dropped from it`() async throws {
        let connection = try await TestServer.connect { $0.inFlightLimit = 1 }
        try await connection.execute("CREATE TEMP TABLE never (a int8)")
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await connection.query("SELECT pg_sleep(50)") }
            await TestServer.until(connection, inFlight: 1, waiting: 0)
            let dropped = await TestServer.outcome { () throws(PostgresError) in
                try await connection.execute("INSERT INTO never VALUES (1)", deadline: .now)
            }
            #expect(dropped.failure?.code == .deadlineExceeded)
            await #expect(connection.load == [1, 0])
            group.cancelAll()
        }
        #expect(try await connection.query("SELECT FROM never").isEmpty)
        await connection.close()
    }

    @Test func `hundreds of tasks cancelled at any moment leave a working connection`() async throws {
        let connection = try await TestServer.connect()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await withThrowingTaskGroup(of: Void.self) { inner in
                        inner.addTask {
                            let sql: SQL = number.isMultiple(of: 8) ? "SELECT pg_sleep(0.01)" : "SELECT \(number)"
                            let outcome = await TestServer.outcome { () throws(PostgresError) in
                                try await connection.query(sql)
                            }
                            if let error = outcome.failure { #expect(error.code == .cancelled) }
                        }
                        if number.isMultiple(of: 3) {
                            for _ in 0..<number % 7 { await Task.yield() }
                            inner.cancelAll()
                        }
                        try await inner.waitForAll()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await connection.query("SELECT \("well")")[0].decode(String.self) == "well")
        await connection.close()
    }

    @Test func `a deadline cancels the statement, and the connection goes on`() async throws {
        let connection = try await TestServer.connect()
        let outcome = await TestServer.outcome { () throws(PostgresError) in
            try await connection.query("SELECT pg_sleep(50)", deadline: .now + .milliseconds(50))
        }
        #expect(outcome.failure?.code == .deadlineExceeded)
        #expect(try await connection.query("SELECT 1").count == 1)
        await connection.close()
    }

    @Test func `a server that does not answer a cancel costs the connection, not the caller`() async throws {
        let closed = Gate()
        let connection = try await TestServer.connect({ $0.cancelGrace = .zero }, onClose: { closed.open() })
        let outcome = await TestServer.outcome { () throws(PostgresError) in
            try await connection.query("SELECT pg_sleep(50)", deadline: .now + .milliseconds(20))
        }
        #expect(outcome.failure?.code == .connectionLost(mayHaveCommitted: true))
        await closed.wait()
        #expect(!connection.isOpen)
        let later = await TestServer.outcome { () throws(PostgresError) in try await connection.query("SELECT 1") }
        #expect(later.failure?.code == .connectionLost(mayHaveCommitted: false))
    }

    @Test func `a terminated connection tells who may have committed`() async throws {
        let closed = Gate()
        let connection = try await TestServer.connect({ $0.inFlightLimit = 2 }, onClose: { closed.open() })
        let observer = try await TestServer.connect()
        async let running = TestServer.outcome { () throws(PostgresError) in
            try await connection.query("SELECT pg_sleep(50)")
        }
        try await TestServer.until(observer, sleeping(connection))
        async let sent = TestServer.outcome { () throws(PostgresError) in try await connection.query("SELECT 1") }
        await TestServer.until(connection, inFlight: 2, waiting: 0)
        async let unsent = TestServer.outcome { () throws(PostgresError) in try await connection.query("SELECT 2") }
        await TestServer.until(connection, inFlight: 2, waiting: 1)
        try await TestServer.terminate(connection.serverProcessID)
        let (first, second, third) = await (running.failure, sent.failure, unsent.failure)
        #expect(first?.sqlState == "57P01")
        #expect(first?.isUnavailable == true)
        #expect(second?.code == .connectionLost(mayHaveCommitted: true))
        #expect(third?.code == .connectionLost(mayHaveCommitted: false))
        await closed.wait()
        await observer.close()
    }

    @Test func `an idle connection that is terminated says so by itself`() async throws {
        let closed = Gate()
        let connection = try await TestServer.connect(onClose: { closed.open() })
        try await TestServer.terminate(connection.serverProcessID)
        await closed.wait()
        #expect(!connection.isOpen)
    }

    @Test func `a refused connection, a wrong password, an unknown database`() async throws {
        var configuration = try PostgresConfiguration(url: "postgresql://u:secret@127.0.0.1:1/d")
        let refused = await TestServer.failure(configuration)
        #expect(refused?.code == .connectionFailed)
        #expect(refused?.isRetryable == true && refused?.isUnavailable == true)
        #expect(refused?.description.contains("secret") == false)

        let url = try #require(TestServer.url)
        let password = try #require(url.firstMatch(of: /:([0-9a-f]+)@/)?.1)
        configuration = try PostgresConfiguration(url: url.replacing(password, with: "wrong"))
        let unauthorized = await TestServer.failure(configuration)
        #expect(unauthorized?.code == .connectionFailed)
        #expect(unauthorized?.sqlState == "28P01")
        #expect(unauthorized?.isRetryable == false)

        let unknown = await TestServer.failure(try PostgresConfiguration(url: url).withDatabase("no such database"))
        #expect(unknown?.sqlState == "3D000")

        let nameless = await TestServer.failure(try PostgresConfiguration(url: "host=no-such-host.invalid"))
        #expect(nameless?.code == .connectionFailed)
        #expect(throws: PostgresError.self) { try PostgresConfiguration(url: "postgresql://%zz") }
    }

    @Test func `a server that says nothing is given up at the deadline`() async throws {
        let listener = try Socket.listen(host: "127.0.0.1", port: 0, sharingPort: false)
        defer { Socket.close(listener) }
        let port = try Socket.localAddress(of: listener).port
        var configuration = try PostgresConfiguration(url: "postgresql://u@127.0.0.1:\(port)/d?sslmode=disable")
        configuration.connectTimeout = .milliseconds(100)
        #expect(await TestServer.failure(configuration)?.code == .connectionFailed)
        let thread = #expect(throws: PostgresError.self) { try blockingConnect(configuration) }
        #expect(thread?.code == .connectionFailed)
        configuration.connectTimeout = .seconds(60)
        let cancelled = await withTaskGroup(of: PostgresError?.self) { [configuration] group in
            group.addTask { await TestServer.failure(configuration) }
            group.cancelAll()
            return await group.next()
        }
        #expect(cancelled??.code == .cancelled)
    }

    private func blockingConnect(_ configuration: PostgresConfiguration) throws {
        _ = try BlockingConnection(configuration, logger: .discard)
    }

    @Test func `a blocking connection asks, is told of failures, and keeps its time limit`() throws {
        var connection = try BlockingConnection(try TestServer.configuration(), logger: .discard)
        let big = String(repeating: "x", count: 5 << 20)
        let echoed = try connection.query("SELECT \(big)", timeout: .seconds(20))[0].decode(String.self)
        #expect(echoed == big)
        var failure: PostgresError?
        do { try connection.execute("SELECT 1/0", timeout: .seconds(20)) } catch { failure = error }
        #expect(failure?.sqlState == "22012")
        let stillOpen = connection.isOpen
        #expect(stillOpen)
        let one = try connection.query("SELECT \(1)", timeout: .seconds(20))[0].decode(Int.self)
        #expect(one == 1)
        do { try connection.execute("SELECT pg_sleep(50)", timeout: .milliseconds(20)) } catch { failure = error }
        #expect(failure?.code == .connectionLost(mayHaveCommitted: true))
        let isOpen = connection.isOpen
        #expect(!isOpen)
    }

    @Test func `a terminated blocking connection is lost, not stuck`() async throws {
        var connection = try BlockingConnection(try TestServer.configuration(), logger: .discard)
        let processID = try connection.query("SELECT pg_backend_pid()", timeout: .seconds(20))[0].decode(Int32.self)
        try await TestServer.terminate(processID)
        var failure: PostgresError?
        do { try connection.execute("SELECT 1", timeout: .seconds(20)) } catch { failure = error }
        #expect(failure?.isUnavailable == true)
        let isOpen = connection.isOpen
        #expect(!isOpen)
    }
}
