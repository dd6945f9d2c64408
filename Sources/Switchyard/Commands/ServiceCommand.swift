// SPDX-License-Identifier: Apache-2.0
import Glibc
import Observability
import Persistence
import Postgres
import Runtime

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
        try await prepareDatabase(foundations)

        let (request, abort) = (ShutdownSignal(), ShutdownSignal())
        signals.deliver(on: foundations.loops.loops[0]) { number in
            logger.info(
                "signal received",
                [.signalName: "\(number)", .shutdownPhase: request.isTriggered ? "abort" : "graceful"])
            if request.isTriggered { abort.trigger() } else { request.trigger() }
        }
        let outcome = try await foundations.withPools {
            try await foundations.clock.measure()
            _ = try await foundations.settings.refresh()
            let services = foundations.services + (try await components(foundations))
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

    private func components(_ foundations: Foundations) async throws -> [any Service] {
        switch command {
        case .work: WorkerAssembly(foundations).services
        default: WorkerAssembly(foundations).services
        }
    }

    /// `all` migrates; the others refuse a database that is not current. The clock is read before ids are made.
    private func prepareDatabase(_ foundations: Foundations) async throws {
        let connection = try await PostgresConnection.connect(
            foundations.postgres, on: foundations.loops.loops[0], blocking: foundations.blocking,
            logger: foundations.logger)
        let migrator = Migrator(connection: connection, logger: foundations.logger)
        if command == .all { _ = try await migrator.up() }
        try await migrator.status().requireCurrent()
        await connection.close()
    }
}
