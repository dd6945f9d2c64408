// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import HTTP
import HTTPServer
import JSON
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@testable import API

/// The API on a free port with the suite's database behind it.
struct TestAPI: Sendable {
    static let signingKey = Result { try SigningKey(text: String(repeating: "s", count: 40)) }
    private static let loops = Result { try EventLoopGroup(count: 1) }
    private static let clients = Result { try EventLoop(name: "clients") }
    private static let hashing = BlockingPool(threadCount: 2, queueLimit: 256)

    let services: APIServices
    let address: SocketAddress
    let log: InMemoryLogSink

    /// Serves for the length of the body.
    static func serve<Value: Sendable>(
        mode: APIConfiguration.Mode = .multiple, settings: [SystemSettingKey: JSONValue] = [:],
        limitTime: (@Sendable () -> Timestamp)? = nil, timing: StreamHub.Timing = StreamHub.Timing(),
        configure: (inout APIConfiguration) -> Void = { _ in }, _ body: (TestAPI) async throws -> Value
    ) async throws -> Value {
        let database = try TestDatabase.required()
        var configuration = APIConfiguration(mode: mode, version: "0.0-test")
        configure(&configuration)
        let log = InMemoryLogSink()
        let services = try await services(
            database, configuration, settings, limitTime, timing, Logger(level: .debug, sink: log), MetricsRegistry())
        var limits = ServerConfiguration()
        limits.port = 0
        limits.drainStreamGrace = .zero
        limits.drainTimeout = .seconds(2)
        let server = HTTPServer(
            configuration: limits, group: try loops.get(), handler: services.makeRouter(), logger: .discard,
            metrics: services.metrics, refusalResponder: services.refusalResponder)
        try await server.bind()
        let api = TestAPI(services: services, address: try #require(server.address), log: log)
        let shutdown = ShutdownSignal()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run(shutdown) }
            group.addTask { try await services.hub.run(shutdown) }
            group.addTask { try await services.limiter.run(shutdown) }
            group.addTask { try await services.notifier.run(shutdown) }
            defer { shutdown.trigger() }
            return try await body(api)
        }
    }

    private static func services(
        _ test: TestDatabase, _ configuration: APIConfiguration, _ settings: [SystemSettingKey: JSONValue],
        _ limitTime: (@Sendable () -> Timestamp)?, _ timing: StreamHub.Timing, _ logger: Logger,
        _ metrics: MetricsRegistry
    ) async throws -> APIServices {
        let database = test.database
        let ids = UUIDv7Generator { WallTime.now().millisecondsSince1970 }
        let clock = DatabaseClock(database: database, generator: ids, logger: logger)
        try await clock.measure()
        let models = ModelStore(
            database: database, keyRing: KeyRing(current: try EncryptionKey(text: String(repeating: "k", count: 40))),
            environment: SystemModels([], startedAt: clock.now) { _, _ in
                SystemModels.Traits(contextLimitTokens: 8192, supportsImages: false)
            })
        let connection = DedicatedConnection(
            test.configuration, applicationName: "notifier", asynchronousCommit: true, loop: try clients.get(),
            blocking: TestCluster.blocking, logger: logger)
        let notifier = WakeNotifier(connection: connection, logger: logger, metrics: metrics)
        return APIServices(
            configuration: configuration, database: database, models: models,
            settings: SettingsStore(
                database: database, defaults: defaults(settings), logger: logger),
            queue: PostgresJobQueue(
                pool: test.pool, claimer: test.pool, clock: clock, onSessionChange: notifier.changed),
            notifier: notifier,
            hub: StreamHub(
                source: StreamSource(
                    configuration: test.configuration, pool: test.pool, loop: try clients.get(),
                    blocking: TestCluster.blocking), logger: logger, metrics: metrics, timing: timing),
            clock: clock, ids: ids,
            signingKey: try signingKey.get(),
            passwordHasher: PasswordHasher(cost: PasswordHasher.Cost(operations: 1, memoryBytes: 8192)),
            blocking: hashing, isListenerHealthy: { true }, limitTime: limitTime, logger: logger, metrics: metrics)
    }

    private static func defaults(_ changes: [SystemSettingKey: JSONValue]) -> SystemSettings {
        var values: [SystemSettingKey: JSONValue] = [:]
        for key in SystemSettingKey.allCases {
            switch key.kind {
            // Tests share the address, and hurry.
            case .integer(let range) where key.rawValue.lowercased().contains("ratelimit"):
                values[key] = .integer(range.upperBound)
            case .bool: values[key] = true
            case .text: values[key] = ""
            case .integer(let range): values[key] = .integer(range.lowerBound)
            case .model: break
            }
        }
        return SystemSettings(defaults: values.merging(changes) { $1 })
    }

    /// Waits until what is said reaches this process.
    func untilListening() async {
        while !services.hub.isListening { await Task.yield() }
    }

    /// Sends one request on a connection of its own.
    func send(
        _ method: String, _ path: String, _ body: String? = nil, token: String? = nil,
        type: String? = "application/json",
        fields: [String: String] = [:]
    ) async throws -> APIAnswer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        if let body {
            if let type { head += "Content-Type: \(type)\r\n" }
            head += "Content-Length: \(body.utf8.count)\r\n"
        }
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        let bytes = Array((head + "\r\n" + (body ?? "")).utf8)
        return try APIAnswer(parsing: try await RawExchange.run(bytes, to: address, on: try Self.clients.get()))
    }

    /// A person nobody else in the suite is, with a good token; stored directly, so that no test pays for a hash.
    func person(_ role: UserRole = .user) async throws -> Person {
        let id: UserID = services.ids.next()
        let name = "p\(id.description.split(separator: "-").joined().suffix(20))"
        _ = try await services.users.create(
            NewUser(id: id, username: name, passwordHash: User.unusablePasswordHash))
        try await services.database.pool.execute("UPDATE users SET role = \(role.rawValue) WHERE id = \(id)")
        let token = try services.tokens.issue(to: Principal(userID: id, role: role), now: services.clock.now)
        return Person(id: id, username: name, token: token)
    }
}

/// Somebody who is logged in.
struct Person: Sendable {
    let id: UserID
    let username: String
    let token: String
}
