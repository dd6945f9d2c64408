// SPDX-License-Identifier: Apache-2.0
import Foundation
import Observability
import Runtime
import Testing

@testable import Postgres

/// The server the tests run on, and loops they share.
enum TestServer {
    static let url = ProcessInfo.processInfo.environment["SWITCHYARD_TEST_DATABASE_URL"]
    static let blocking = BlockingPool(threadCount: 4, queueLimit: 256)
    private static let loops = Result { try EventLoopGroup(count: 2) }

    static var loop: EventLoop { get throws { try loops.get().next() } }

    static func configuration() throws -> PostgresConfiguration {
        var configuration = try PostgresConfiguration(url: try #require(url, "SWITCHYARD_TEST_DATABASE_URL is not set"))
        configuration.applicationName = "postgres-tests"
        return configuration
    }

    static func connect(
        _ change: (inout PostgresConfiguration) -> Void = { _ in },
        onNotification: (@Sendable (String, String) -> Void)? = nil, onClose: (@Sendable () -> Void)? = nil
    ) async throws -> PostgresConnection {
        var configuration = try configuration()
        change(&configuration)
        return try await PostgresConnection.connect(
            configuration, on: try loop, blocking: blocking, logger: .discard, onNotification: onNotification,
            onClose: onClose)
    }

    /// Ends a connection from another one, as an administrator would.
    static func terminate(_ processID: Int32) async throws {
        let administrator = try await connect()
        _ = try await administrator.query("SELECT pg_terminate_backend(\(processID), 5000)")
        await administrator.close()
    }

    /// What became of a call, for `async let`.
    static func outcome<Value: Sendable>(
        _ body: @Sendable () async throws(PostgresError) -> Value
    ) async -> Result<Value, PostgresError> {
        do throws(PostgresError) { return .success(try await body()) } catch { return .failure(error) }
    }

    /// Why no connection came about.
    static func failure(_ configuration: PostgresConfiguration) async -> PostgresError? {
        await outcome { () throws(PostgresError) in
            let loop: EventLoop
            do { loop = try TestServer.loop } catch { throw PostgresError(.closed) }
            let connection = try await PostgresConnection.connect(
                configuration, on: loop, blocking: blocking, logger: .discard)
            await connection.close()
        }.failure
    }

    /// Waits until so many calls are on the wire, or in line.
    static func until(_ connection: PostgresConnection, inFlight: Int, waiting: Int) async {
        while await connection.load != [inFlight, waiting] { await Task.yield() }
    }

    /// Waits until the server says so: no guess at how long something takes.
    static func until(_ connection: PostgresConnection, _ condition: SQL) async throws {
        while true {
            let rows = try await connection.query(condition)
            if try rows[0].decode(Bool.self) { return }
            await Task.yield()
        }
    }
}

extension PostgresConnection {
    /// Calls on the wire, and in line.
    var load: [Int] { [inFlight.count, waiting.count] }
}
