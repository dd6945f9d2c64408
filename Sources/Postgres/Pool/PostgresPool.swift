// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Runtime
import Synchronization

/// Lends connections, one borrower at a time, and keeps them working. Callers wait while the database is away: it may
/// come back within their deadline.
///
/// A service: connections are made while it runs. At shutdown nothing more is lent, and it ends when all is back.
/// Concurrency: any task. Cost: a lock to borrow and one to give back.
package final class PostgresPool: Service {
    /// How much a pool holds and how long it waits.
    package struct Limits: Sendable {
        /// Kept open even when nobody asks.
        package var minimumConnections = 0
        /// Open at most.
        package var maximumConnections = 8
        /// Borrowers in line; one more is refused with `queueFull`.
        package var waiting = 1024
        /// How long a borrower waits who names no deadline.
        package var borrowTimeout: Duration = .seconds(5)
        /// A connection idle for so long is pinged, so that one the network swallowed is not lent.
        package var checkAfter: Duration = .seconds(30)
        /// How long a ping may take.
        package var checkTimeout: Duration = .seconds(2)
        /// A connection above the minimum that nobody used for so long is closed.
        package var closeAfter: Duration = .seconds(300)
        /// Between attempts to connect while the database is away.
        package var backoff = Backoff(base: .milliseconds(50), cap: .seconds(2))

        /// The defaults.
        package init() {}
    }

    struct State {
        var machine: PoolMachine<PostgresConnection>
        var borrowers: [UInt64: CheckedContinuation<Result<Loan, PostgresError>, Never>] = [:]
        var lastNumber: UInt64 = 0
        var wakeAt: ContinuousClock.Instant?
        var lastFailure: PostgresError?
    }

    /// A connection on loan.
    struct Loan: Sendable {
        let slot: Int
        let connection: PostgresConnection
    }

    enum Work: Sendable {
        case connect(slot: Int)
        case check(slot: Int, PostgresConnection)
    }

    /// For the log and the label of the metrics.
    package let name: String
    let configuration: PostgresConfiguration
    let limits: Limits
    let loops: [EventLoop]
    let blocking: BlockingPool
    let logger: Logger
    let state: Mutex<State>
    /// At most one piece of work a slot, so it is never full.
    let work: BoundedChannel<Work>
    let metrics: PoolMetrics

    /// A pool that connects nothing before it runs. Connections are spread over the loops.
    package init(
        name: String, _ configuration: PostgresConfiguration, limits: Limits = Limits(), loops: [EventLoop],
        blocking: BlockingPool, logger: Logger, metrics: MetricsRegistry
    ) {
        precondition(!loops.isEmpty && limits.maximumConnections > 0, "a pool needs a loop and a connection")
        self.name = name
        self.configuration = configuration
        self.limits = limits
        self.loops = loops
        self.blocking = blocking
        self.logger = logger.adding([.component: .string(name)])
        self.metrics = PoolMetrics(metrics, pool: name)
        work = BoundedChannel(capacity: 2 * limits.maximumConnections)
        state = Mutex(
            State(
                machine: PoolMachine(
                    .init(
                        minimum: min(limits.minimumConnections, limits.maximumConnections),
                        maximum: limits.maximumConnections, waiting: limits.waiting, checkAfter: limits.checkAfter,
                        closeAfter: limits.closeAfter))))
    }

    /// Makes and checks connections until the shutdown; returns when all are given back.
    package func run(_ shutdown: ShutdownSignal) async {
        let number = shutdown.onTrigger { self.step { $0.shutDown() } }
        step { $0.tick(now: .now) }
        await withDiscardingTaskGroup { group in
            while case let batch = await work.nextBatch(), !batch.isEmpty {
                for work in batch { group.addTask { await self.perform(work) } }
            }
            group.cancelAll()
        }
        shutdown.forget(number)
        // Cancelled, perhaps: what is idle is closed, what is lent when it comes back.
        step { $0.shutDown() }
    }

    /// Lends a connection for the length of the body. Do not keep it, and leave no task behind that uses it.
    ///
    /// Throws `poolTimeout`, `queueFull`, `cancelled`, `closed`, and what the body throws. A connection that broke, or
    /// is left within a transaction, is not lent again.
    package func withConnection<Value>(
        deadline: ContinuousClock.Instant? = nil, _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let loan = try await borrow(deadline)
        defer { giveBack(loan) }
        return try await body(loan.connection)
    }

    /// Borrows for one statement. The deadline covers the waiting and the statement.
    package func query(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> PostgresRows {
        let loan = try await borrow(deadline)
        defer { giveBack(loan) }
        return try await loan.connection.query(sql, deadline: deadline)
    }

    /// Borrows for two transactions of a statement each; see ``PostgresConnection/query(_:then:deadline:)``.
    ///
    /// With `repeats`, both are run again when the first failed for another transaction's sake (40001, 40P01), so many
    /// times at most.
    ///
    /// - Throws: what the first came to.
    package func query(
        _ sql: SQL, then second: SQL, repeats: Int = 0, deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> (PostgresRows, Result<PostgresRows, PostgresError>) {
        let loan = try await borrow(deadline)
        defer { giveBack(loan) }
        var left = repeats
        while true {
            let (before, after) = await loan.connection.query(sql, then: second, deadline: deadline)
            do throws(PostgresError) { return (try before.get(), after) } catch {
                guard error.isSerializationFailure && left > 0 && !Task.isCancelled else { throw error }
                left -= 1
                metrics.repeats.increment()
            }
        }
    }

    /// Borrows for one statement; returns the rows it affected.
    @discardableResult
    package func execute(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> Int {
        try await query(sql, deadline: deadline).affectedRows
    }

    /// Borrows for one implicit transaction of several statements in one round trip.
    package func pipeline(
        _ statements: [SQL], deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> [PostgresRows] {
        let loan = try await borrow(deadline)
        defer { giveBack(loan) }
        return try await loan.connection.pipeline(statements, deadline: deadline)
    }

    /// Borrows for a transaction; see ``PostgresConnection/withTransaction(_:deadline:_:)``.
    ///
    /// With `repeats`, a transaction that failed for another one's sake (40001, 40P01) is run again from its start, so
    /// many times at most: the body must have no effect but on the database.
    package func withTransaction<Value>(
        _ isolation: PostgresIsolation = .readCommitted, repeats: Int = 0,
        deadline: ContinuousClock.Instant? = nil, _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        var left = repeats
        while true {
            do {
                return try await withConnection(deadline: deadline) { connection in
                    try await connection.withTransaction(isolation, deadline: deadline, body)
                }
            } catch let error as PostgresError where error.isSerializationFailure && left > 0 && !Task.isCancelled {
                left -= 1
                metrics.repeats.increment()
            }
        }
    }
}
