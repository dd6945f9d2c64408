// SPDX-License-Identifier: Apache-2.0
import API
import Glibc
import HTTPServer
import Observability
import Persistence
import Postgres
import Runtime
import Synchronization

/// `serve`, `work`, `all`: runs services until a signal, or until one of them ends by itself.
struct ServiceCommand {
    private let command: Command
    private let signals: ProcessSignals

    init(_ command: Command, _ signals: ProcessSignals) {
        self.command = command
        self.signals = signals
    }

    /// - Returns: the exit code.
    func run(_ configuration: Configuration) async throws -> Int32 {
        let metrics = MetricsRegistry()
        let sink = StandardErrorSink(metrics: metrics)
        let logger = Logger(level: configuration.logLevel, sink: sink)
        defer { _ = sink.flush() }
        _ = try ProcessLimits.raiseOpenDescriptors()
        let foundations = try Foundations(configuration, logger: logger, metrics: metrics)
        let (request, abort) = (ShutdownSignal(), ShutdownSignal())
        deliverSignals(on: foundations.loops.loops[0], logger, request: request, abort: abort)
        let patience = StartPatience(logger: logger, request: request)
        try await patience.repeating { try await prepareDatabase(foundations) }
        let outcome = try await foundations.withPools {
            try await patience.repeating {
                try await foundations.clock.measure()
                _ = try await foundations.settings.refresh()
                try await foundations.providers.limit(foundations.environmentLimits)
                try await foundations.gates.refresh()
            }
            let services = foundations.services + (try await components(foundations, patience))
            // Each service bounds its own end; what they need beyond the grace of the runs is little.
            let group = ServiceGroup(services, grace: configuration.shutdownGrace + .seconds(10))
            return await group.run(request: request, abort: abort)
        }
        switch outcome {
        case .graceful:
            logger.info("stopped", [.shutdownPhase: "graceful"])
            return 0
        case .cancelled:
            logger.warning("stopped before everything had ended", [.shutdownPhase: "abort"])
            return 1
        case .failed(let service, let error):
            logger.error(
                "a service ended by itself",
                [.serviceName: "\(service)", .errorDetail: "\(error.map { "\($0)" } ?? "without an error")"])
            return 1
        }
    }

    /// The first signal asks for an orderly end, a later one ends the patience. What comes right after the first is
    /// the same wish told twice: a terminal signals the whole group, and a script that waits passes it on.
    private func deliverSignals(
        on loop: EventLoop, _ logger: Logger, request: ShutdownSignal, abort: ShutdownSignal
    ) {
        let first = Mutex<ContinuousClock.Instant?>(nil)
        signals.deliver(on: loop) { number in
            let since = first.withLock { instant in
                if instant == nil { instant = .now }
                return instant.map { ContinuousClock.now - $0 } ?? .zero
            }
            logger.info("signal received", [.signalName: "\(number)"])
            if since < .milliseconds(300) { request.trigger() } else { abort.trigger() }
        }
    }

    private func components(_ foundations: Foundations, _ patience: StartPatience) async throws -> [any Service] {
        if command == .work { return Self.probes(foundations) + WorkerAssembly(foundations).services }
        let mode = try await patience.repeating { try await foundations.mode() }
        let api = APIAssembly(foundations, mode: mode).services
        // The worker stops first: its replies end while their readers are still connected.
        return command == .serve ? api : api + WorkerAssembly(foundations).services
    }

    /// A worker's own address, where one is wanted.
    private static func probes(_ foundations: Foundations) -> [any Service] {
        guard let port = foundations.configuration.workerPort else { return [] }
        var server = ServerConfiguration()
        server.host = foundations.configuration.host
        server.port = port
        let probes = Probes(
            database: foundations.database, metricsToken: foundations.configuration.metricsToken,
            metrics: foundations.metrics)
        return [
            HTTPServer(
                configuration: server, group: foundations.loops, handler: probes.makeRouter(),
                logger: foundations.logger, metrics: foundations.metrics)
        ]
    }

    /// `all` migrates; the others refuse a database that is not current. The clock is read before ids are made.
    private func prepareDatabase(_ foundations: Foundations) async throws {
        let connection = try await PostgresConnection.connect(
            foundations.postgres, on: foundations.loops.loops[0], blocking: foundations.blocking,
            logger: foundations.logger)
        let migrator = Migrator(connection: connection, logger: foundations.logger)
        do {
            if command == .all { _ = try await migrator.up() }
            try await migrator.status().requireCurrent()
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }
}
