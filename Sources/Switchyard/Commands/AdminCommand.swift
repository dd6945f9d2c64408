// SPDX-License-Identifier: Apache-2.0
import API
import Chat
import JSON
import Observability
import Persistence
import Postgres
import Runtime

/// `switchyard admin …`: what the API's administrators see, and what only who runs the system sets, asked of the database
/// itself.
struct AdminCommand {
    private let command: Command

    init(_ command: Command) {
        self.command = command
    }

    /// - Returns: what to print, JSON.
    func run(_ configuration: Configuration) async throws -> String {
        let loops = try EventLoopGroup(count: 1)
        defer { loops.shutDown() }
        var limits = PostgresPool.Limits()
        limits.minimumConnections = 1
        limits.maximumConnections = 1
        let pool = PostgresPool(
            name: "admin", try configuration.postgres(application: "switchyard admin").withIndexedPlans,
            limits: limits, loops: loops.loops, blocking: BlockingPool(threadCount: 1, queueLimit: 16),
            logger: .discard, metrics: MetricsRegistry())
        let end = ShutdownSignal()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run(end) }
            defer { end.trigger() }
            return String(decoding: try await answer(Database(pool)), as: UTF8.self)
        }
    }

    private func answer(_ database: Database) async throws -> [UInt8] {
        try await SchemaStatus.read(from: database).requireCurrent()
        let (overviews, weights) = (OverviewStore(database: database), TenantWeights(database: database))
        var writer = JSONWriter()
        switch command {
        case .adminWorkers:
            let workers = try await overviews.workers()
            writer.array { writer in
                for worker in workers { worker.write(to: &writer) }
            }
        case .adminWeights:
            let entries = try await weights.all()
            writer.array { writer in
                for entry in entries { Self.write(entry.user, entry.weight, to: &writer) }
            }
        case .adminSetWeight(let user, let weight?):
            do throws(PersistenceError) { try await weights.set(weight, for: user) } catch {
                throw error.code == .notFound ? UnknownUser(id: user) : error
            }
            Self.write(user, weight, to: &writer)
        case .adminSetWeight(let user, nil):
            try await weights.reset(user)
            Self.write(user, 1, to: &writer)
        default:
            let queue = try await overviews.queue()
            writer.object { queue.writeFields(to: &$0) }
        }
        return writer.bytes
    }

    private static func write(_ user: UserID, _ weight: Double, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("userId", user.description)
            writer.member("weight", weight)
        }
    }

    private struct UnknownUser: Error, CustomStringConvertible {
        let id: UserID
        var description: String { "there is no user \(id)" }
    }
}
