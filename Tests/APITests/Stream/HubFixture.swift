// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport

@testable import API

/// One process of the API as far as streams go: a hub, and a server whose streams it feeds.
struct HubProcess: Sendable {
    let hub: StreamHub
    let metrics: MetricsRegistry
    let address: SocketAddress
    let clients: EventLoop

    func watch(
        _ job: JobID, after cursor: StreamCursor = .beginning, receiveBufferBytes: Int32? = nil, isPaused: Bool = false,
        isReady: Bool = false, knowsStart: Bool = false
    ) async throws -> StreamClient {
        let client = try await StreamClient(
            to: address, on: clients,
            request: "GET /watch/\(job)?after=\(cursor)\(isReady ? "&ready=1" : "")\(knowsStart ? "&known=1" : "")"
                + " HTTP/1.1\r\nHost: test\r\n\r\n",
            receiveBufferBytes: receiveBufferBytes, isPaused: isPaused)
        if !isPaused { _ = try await client.head() }
        return client
    }

    /// The value of a metric without labels.
    func value(_ metric: String) -> Double {
        let line = metrics.prometheusText().split(separator: "\n").first { $0.hasPrefix(metric + " ") }
        return line?.split(separator: " ").last.flatMap { Double($0) } ?? -1
    }

    /// Waits until the hub has counted so far.
    func until(_ condition: @Sendable (StreamMetrics) -> Bool) async {
        while !condition(await hub.metrics) { await Task.yield() }
    }

    func untilListening() async {
        while !hub.isListening { await Task.yield() }
    }
}

/// A writer of streams in a database of its own, and processes that relay them.
struct HubFixture: Sendable {
    let database: TestDatabase
    let processes: [HubProcess]
    let writer: EventLogWriter
    private let connection: DedicatedConnection
    private static let ids = UUIDv7Generator { WallTime.now().millisecondsSince1970 }
    static let user: UserID = ids.next()

    var first: HubProcess { processes[0] }

    /// As another process has it, without anybody who is told.
    var queue: PostgresJobQueue {
        PostgresJobQueue(
            pool: database.pool, claimer: database.pool,
            clock: DatabaseClock(database: database.database, generator: Self.ids, logger: .discard))
    }

    /// Runs a body with so many processes on one database, and ends them in order.
    static func with(
        processes count: Int = 1, timing: StreamHub.Timing = StreamHub.Timing(),
        configure: @escaping @Sendable (inout ServerConfiguration) -> Void = { _ in },
        _ body: (HubFixture) async throws -> Void
    ) async throws {
        try await TestDatabase.withMigrated { database in
            let group = try EventLoopGroup(count: 2)
            let clients = try EventLoop(name: "clients")
            let shutdown = ShutdownSignal()
            var processes: [HubProcess] = []
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<count {
                    let metrics = MetricsRegistry()
                    let source = StreamSource(
                        configuration: database.configuration, pool: database.pool, loop: group.next(),
                        blocking: TestCluster.blocking)
                    let hub = StreamHub(source: source, logger: .discard, metrics: metrics, timing: timing)
                    var configuration = ServerConfiguration()
                    configuration.port = 0
                    configuration.drainStreamGrace = .zero
                    configuration.drainTimeout = .seconds(2)
                    configure(&configuration)
                    let server = HTTPServer(
                        configuration: configuration, group: group, handler: router(hub), logger: .discard,
                        metrics: metrics)
                    try await server.bind()
                    guard let address = server.address else { throw HTTPServerError(.cannotListen) }
                    processes.append(HubProcess(hub: hub, metrics: metrics, address: address, clients: clients))
                    tasks.addTask { try await hub.run(shutdown) }
                    tasks.addTask { try await server.run(shutdown) }
                }
                let connection = DedicatedConnection(
                    database.configuration, applicationName: "publisher", asynchronousCommit: true, loop: clients,
                    blocking: TestCluster.blocking, logger: .discard)
                _ = try await connection.connection()
                let fixture = HubFixture(
                    database: database, processes: processes, writer: EventLogWriter(connection: connection),
                    connection: connection)
                let result: Result<Void, any Error>
                do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
                shutdown.trigger()
                try await tasks.waitForAll()
                try await connection.connection().close()
                try result.get()
            }
            group.shutDown()
            clients.shutDown()
        }
    }

    /// What the stream of a job begins with.
    static func start(of job: JobID) -> StreamEvent {
        .start(StreamStart(messageID: nil, userMessageID: nil, sessionID: nil, jobID: job))
    }

    private static func router(_ hub: StreamHub) -> Router {
        var router = Router()
        router.on(.get, "/watch/:job") { request in
            guard let job = request.parameters["job"].flatMap({ JobID($0) }),
                let cursor = request.head.target.queryValue("after").flatMap({ StreamCursor($0) })
            else { return ServerResponse(.badRequest) }
            let state: JobState? = request.head.target.queryValue("ready") == nil ? nil : .ready
            var known: [LoggedEvent] = []
            if request.head.target.queryValue("known") != nil { known = [LoggedEvent(start(of: job), at: cursor.next)] }
            return .eventStream(heartbeat: .seconds(60)) { [known] in
                hub.subscribe(job, after: cursor, known: known, to: $0, state: state)
            }
        }
        return router
    }
}

extension HubFixture {
    /// A job that has not ended.
    func job() async throws -> JobID {
        let id: JobID = Self.ids.next()
        try await database.pool.execute(
            """
            INSERT INTO jobs (id, kind, lane, tag, user_id, payload, max_attempts, deadline_ms, created_at, run_at)
            VALUES (\(id), 'chat', 0, 0, \(Self.user), '{}', 5, 1000, now(), now())
            """)
        return id
    }

    /// Takes a lease: from here on events of it can be appended.
    func run(_ job: JobID, lease: Int64) async throws {
        let worker: WorkerID = Self.ids.next()
        try await database.pool.execute(
            """
            INSERT INTO running (job, lease, worker, attempt, crashes, had_output, started_at, deadline)
            VALUES (\(job), \(lease), \(worker), 1, 0, false, now(), now() + interval '1 hour')
            ON CONFLICT (job) DO UPDATE SET lease = excluded.lease
            """)
    }

    func event(_ job: JobID, _ lease: Int64, _ sequence: Int32, _ event: StreamEvent) -> StampedEvent {
        StampedEvent(
            job: job, event: LoggedEvent(event, at: StreamCursor(lease: lease, sequence: sequence)),
            written: Timestamp(millisecondsSince1970: WallTime.now().millisecondsSince1970))
    }

    func contents(_ job: JobID, lease: Int64, _ sequences: ClosedRange<Int32>, bytes: Int = 0) -> [StampedEvent] {
        let filler = String(repeating: "x", count: bytes)
        return sequences.map { event(job, lease, $0, .content("\($0) \(filler)")) }
    }

    /// As the publisher does: rows and notification in one transaction.
    func publish(_ events: [StampedEvent]) async throws {
        let held = try await writer.append(events, announcing: [])
        if held != Set(events.map(\.job)) { throw NotRunning() }
    }

    struct NotRunning: Error {}

    /// Rows without a notification.
    func store(_ events: [StampedEvent]) async throws {
        for event in events {
            try await database.pool.execute(
                """
                INSERT INTO events (job, lease, seq, kind, data, written)
                VALUES (\(event.job), \(event.event.cursor.lease), \(event.event.cursor.sequence),
                        \(event.event.kind.rawValue), \(String(decoding: event.event.data, as: UTF8.self)),
                        \(event.written))
                """)
        }
    }

    /// Ends the job with its last events, stored but not announced.
    func end(_ job: JobID, _ events: [StampedEvent]) async throws {
        try await database.pool.withTransaction { transaction in
            try await transaction.execute("DELETE FROM running WHERE job = \(job)")
            for event in events {
                try await transaction.execute(
                    """
                    INSERT INTO events (job, lease, seq, kind, data, written)
                    VALUES (\(event.job), \(event.event.cursor.lease), \(event.event.cursor.sequence),
                            \(event.event.kind.rawValue), \(String(decoding: event.event.data, as: UTF8.self)),
                            \(event.written))
                    """)
            }
            try await transaction.execute(
                "UPDATE jobs SET state = 4, finished_at = now(), lease = 7, attempt = 1 WHERE id = \(job)")
        }
    }

    func announce(_ events: [StampedEvent]) async throws {
        _ = try await writer.append([], announcing: events)
    }

    func completion(_ job: JobID, lease: Int64, _ sequence: Int32) -> StampedEvent {
        event(
            job, lease, sequence,
            .complete(
                StreamCompletion(
                    messageID: nil, finishReason: .stop,
                    usage: Usage(promptTokens: 1, completionTokens: 2, contextLimit: 100, isEstimated: false),
                    contentLengthBytes: 3)))
    }

    /// A whole stream under one lease: start, contents, completion; returned in order.
    func finishedJob(contents count: Int32, lease: Int64 = 7) async throws -> (JobID, [StampedEvent]) {
        let job = try await job()
        let start = StreamStart(messageID: nil, userMessageID: nil, sessionID: nil, jobID: job)
        let opening = event(job, 0, 1, .start(start))
        try await store([opening])
        try await run(job, lease: lease)
        let contents = contents(job, lease: lease, 1...count)
        for start in stride(from: 0, to: contents.count, by: 500) {
            try await publish(Array(contents[start..<min(start + 500, contents.count)]))
        }
        let last = completion(job, lease: lease, count + 1)
        try await end(job, [last])
        return (job, [opening] + contents + [last])
    }
}
