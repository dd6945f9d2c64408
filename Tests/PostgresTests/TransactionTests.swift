// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct TransactionTests {
    private struct Refusal: Error {}

    private func counted(_ connection: PostgresConnection) async throws -> Int {
        try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self)
    }

    private func connection() async throws -> PostgresConnection {
        let connection = try await TestServer.connect()
        try await connection.execute("CREATE TEMP TABLE t (id int8 PRIMARY KEY)")
        return connection
    }

    @Test func `what a body returns is committed, what it throws is rolled back`() async throws {
        let connection = try await connection()
        let value = try await connection.withTransaction { transaction in
            try await transaction.execute("INSERT INTO t VALUES (\(1))")
            return try await transaction.query("SELECT count(*) FROM t")[0].decode(Int.self)
        }
        #expect(value == 1)
        await #expect(throws: Refusal.self) {
            try await connection.withTransaction { transaction in
                try await transaction.execute("INSERT INTO t VALUES (\(2))")
                throw Refusal()
            }
        }
        #expect(try await counted(connection) == 1)
        #expect(connection.isClean)
        try await connection.withTransaction { _ in }
        await connection.close()
    }

    @Test func `others wait until the transaction is over`() async throws {
        let connection = try await connection()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    try await connection.withTransaction(.repeatableRead) { transaction in
                        try await transaction.execute("INSERT INTO t VALUES (\(2 * number))")
                        try await transaction.execute("INSERT INTO t VALUES (\(2 * number + 1))")
                    }
                }
                group.addTask {
                    let count = try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self)
                    #expect(count.isMultiple(of: 2))
                }
            }
            try await group.waitForAll()
        }
        #expect(try await counted(connection) == 40)
        await connection.close()
    }

    @Test func `a failure the body hides is not reported as a commit`() async throws {
        let connection = try await connection()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                try await transaction.execute("INSERT INTO t VALUES (\(1))")
                let failure = await TestServer.outcome { () throws(PostgresError) in
                    try await transaction.execute("INSERT INTO t VALUES (\(1))")
                }
                #expect(failure.failure?.isUniqueViolation == true)
            }
        }
        #expect(error?.code == .transactionAborted)
        #expect(try await counted(connection) == 0)
        await connection.close()
    }

    @Test func `a full statement cache does not keep a failed transaction from rolling back`() async throws {
        let connection = try await TestServer.connect { $0.preparedStatementLimit = 1 }
        try await connection.execute("CREATE TEMP TABLE t (id int8 PRIMARY KEY)")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                try await transaction.execute("INSERT INTO t VALUES (1)")
                try await transaction.execute("SELECT 1/0")
            }
        }
        #expect(error?.sqlState == "22012")
        #expect(try await counted(connection) == 0)
        #expect(connection.isClean)
        await connection.close()
    }

    @Test func `a cancelled body is rolled back and the connection goes on`() async throws {
        let connection = try await connection()
        await withTaskGroup(of: Void.self) { group in
            let inside = Gate()
            group.addTask {
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.withTransaction { transaction in
                        try await transaction.execute("INSERT INTO t VALUES (\(1))")
                        inside.open()
                        _ = try await transaction.query("SELECT pg_sleep(50)")
                    }
                }
                #expect(error?.code == .cancelled)
            }
            await inside.wait()
            group.cancelAll()
        }
        #expect(try await counted(connection) == 0)
        #expect(connection.isClean)
        await connection.close()
    }

    @Test func `a body that is cancelled at its end does not commit`() async throws {
        let connection = try await connection()
        await withTaskGroup(of: Void.self) { group in
            let inside = Gate()
            let cancelled = Gate()
            group.addTask {
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.withTransaction { transaction in
                        try await transaction.execute("INSERT INTO t VALUES (\(1))")
                        inside.open()
                        await cancelled.wait()
                    }
                }
                #expect(error?.code == .cancelled)
            }
            await inside.wait()
            group.cancelAll()
            cancelled.open()
        }
        #expect(try await counted(connection) == 0)
        await connection.close()
    }

    @Test func `a transaction whose connection is terminated fails, whatever it does next`() async throws {
        let connection = try await connection()
        let error = await #expect(throws: PostgresError.self) {
            try await connection.withTransaction { transaction in
                try await transaction.execute("INSERT INTO t VALUES (\(1))")
                try await TestServer.terminate(connection.serverProcessID)
            }
        }
        #expect(error?.isUnavailable == true)
        #expect(!connection.isOpen)
    }

    @Test func `a transaction's calls end with it`() async throws {
        let connection = try await connection()
        let escaped = try await connection.withTransaction { $0 }
        let late = await TestServer.outcome { () throws(PostgresError) in try await escaped.query("SELECT 1") }
        #expect(late.failure?.code == .closed)
        await connection.close()
    }

    @Test func `a bare BEGIN makes the connection unfit to lend`() async throws {
        let connection = try await connection()
        try await connection.execute("BEGIN")
        #expect(!connection.isClean)
        try await connection.execute("ROLLBACK")
        #expect(connection.isClean)
        await connection.close()
    }
}
