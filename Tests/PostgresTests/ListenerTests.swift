// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime
import Synchronization
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct ListenerTests {
    /// What a listener told, in order, and waiting for it.
    private final class Record: Sendable {
        private let events = Mutex<[String]>([])
        var all: [String] { events.withLock { $0 } }
        func append(_ event: String) { events.withLock { $0.append(event) } }
        func until(_ count: Int, of event: String) async {
            while all.count(where: { $0 == event }) < count { await Task.yield() }
        }
    }

    private func listener(
        _ record: Record, configuration: PostgresConfiguration? = nil, pingInterval: Duration = .seconds(3),
        channel: StaticString
    ) throws -> PostgresListener {
        PostgresListener(
            try configuration ?? TestServer.configuration(), channels: [channel], on: try TestServer.loop,
            blocking: TestServer.blocking, logger: .discard, metrics: MetricsRegistry(), pingInterval: pingInterval,
            callbacks: .init(
                onNotification: { record.append("\($0) \($1)") }, onConnected: { record.append("connected") },
                onLost: { record.append("lost") }))
    }

    @Test func `a listener whose connection is terminated listens again`() async throws {
        let record = Record()
        let listener = try listener(record, channel: "listener_tests_again")
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run(shutdown) }
            defer { shutdown.trigger() }
            let other = try await TestServer.connect()
            for round in 1...3 {
                await record.until(round, of: "connected")
                #expect(listener.isHealthy)
                try await other.execute("SELECT pg_notify('listener_tests_again', \("\(round)"))")
                await record.until(1, of: "listener_tests_again \(round)")
                try await TestServer.terminate(listener.serverProcessID)
                await record.until(round, of: "lost")
            }
            await other.close()
        }
        #expect(!listener.isHealthy)
        #expect(record.all.prefix(4) == ["connected", "listener_tests_again 1", "lost", "connected"])
    }

    @Test func `a ping proves the connection`() async throws {
        let record = Record()
        let listener = try listener(record, pingInterval: .milliseconds(1), channel: "listener_tests_ping")
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run(shutdown) }
            defer { shutdown.trigger() }
            await record.until(1, of: "connected")
            let observer = try await TestServer.connect()
            let processID = listener.serverProcessID
            try await TestServer.until(
                observer, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(processID) AND query = 'SELECT 1')"
            )
            await observer.close()
        }
        #expect(record.all == ["connected", "lost"])
    }

    @Test func `a listener without a database ends when asked to`() async throws {
        let record = Record()
        let listener = try listener(
            record, configuration: try PostgresConfiguration(url: "postgresql://u@127.0.0.1:1/d"), channel: "nothing")
        let shutdown = ShutdownSignal()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run(shutdown) }
            shutdown.trigger()
        }
        #expect(record.all.isEmpty)
    }
}
