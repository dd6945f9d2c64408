// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// What all processes together may ask of provider configurations: the rows behind budgets, blocks and breakers.
///
/// The rules are values of `Jobs`; here they are read, applied and written back under the lock of one row. Concurrency:
/// any task. Cost: an exchange is three round trips, everything else one or two; nothing of it lies before the call of
/// a configuration without limits.
package struct ProviderStore: Sendable {
    /// Gates that exist at once: a claim ranges over all of them. Further shared configurations share gate 0.
    static let maximumGates: Int32 = 64

    let database: Database
    private let rules: BudgetRules
    private let breakerRules: CircuitBreaker.Rules

    /// - Parameters:
    ///   - database: where the rows are.
    ///   - rules: of budgets.
    ///   - breakerRules: of circuit breakers.
    package init(
        database: Database, rules: BudgetRules = BudgetRules(),
        breakerRules: CircuitBreaker.Rules = CircuitBreaker.Rules()
    ) {
        self.database = database
        self.rules = rules
        self.breakerRules = breakerRules
    }

    /// Sets a stored configuration's limits, in the transaction that changes the configuration.
    static func limit(
        _ model: ModelID, _ limits: ProviderLimits, isShared: Bool, in transaction: PostgresTransaction
    ) async throws {
        if limits.isEmpty {
            try await transaction.execute(ProviderStatements.unlimit(model))
        } else {
            _ = try await transaction.pipeline([
                ProviderStatements.lockGates,
                ProviderStatements.limit(model, limits, wantsGate: isShared, maximumGates: maximumGates),
            ])
        }
    }

    /// Sets the limits of configurations that are not stored: the environment's. Called once at each start; the process
    /// that started last decides.
    package func limit(_ shared: [(ModelID, ProviderLimits)]) async throws(PersistenceError) {
        if shared.isEmpty { return }
        try await database.withTransaction { transaction in
            for (model, limits) in shared.sorted(by: { $0.0 < $1.0 }) {
                try await Self.limit(model, limits, isShared: true, in: transaction)
            }
        }
    }

    /// What every process has to know. One round trip.
    package func statuses() async throws(PersistenceError) -> [ProviderStatus] {
        var statuses: [ProviderStatus] = []
        for row in try await database.query(ProviderStatements.statuses) { statuses.append(try ProviderStatus(row)) }
        return statuses
    }

    /// Draws from a configuration's budgets for a process, and tells them what it has to say.
    ///
    /// `limits` is used when the row is missing; else the row's hold. When it throws, it may have been written all the same:
    /// then nothing of it may be used.
    package func exchange(
        _ wish: PermitWish, of model: ModelID, worker: WorkerID, limits: ProviderLimits
    ) async throws(PersistenceError) -> PermitGrant {
        let rules = rules
        return try await database.withTransaction { transaction in
            let read = [ProviderStatements.lockBudgets(model), ProviderStatements.places(model, worker: worker)]
            var rows = try await transaction.pipeline(read)
            if rows[0].isEmpty {
                rows = Array(
                    try await transaction.pipeline([ProviderStatements.ensure(model, limits)] + read).dropFirst())
            }
            guard let row = rows[0].first, let (all, own) = try rows[1].decodeFirst(Int.self, Int.self) else {
                throw PersistenceError(.internal, detail: "a provider's row cannot be read")
            }
            let (stored, now) = try Self.ledger(row)
            var ledger = stored
            let kept = max(0, own - wish.returnedPlaces)
            let grant = ledger.exchange(wish, placesInUse: all - (own - kept), at: now, rules)
            var writes = [ProviderStatements.storeBudgets(model, ledger)]
            if kept + grant.places != own {
                writes.append(ProviderStatements.storePlaces(model, worker: worker, kept + grant.places))
            }
            _ = try await transaction.pipeline(writes)
            return grant
        }
    }

    /// Every process that has places. One round trip.
    package func holders() async throws(PersistenceError) -> [PlaceHolder] {
        var holders: [PlaceHolder] = []
        for row in try await database.query(ProviderStatements.holders) {
            var columns = ColumnReader(row)
            holders.append(
                PlaceHolder(
                    model: try columns.next(), worker: try columns.next(), places: try columns.next(),
                    beat: try columns.next()))
        }
        return holders
    }

    /// Takes a dead process's places away, and says whether there were any. `beat` is its counter as it stood while it was
    /// observed; one that has moved changes nothing.
    package func release(_ worker: WorkerID, unlessBeatenSince beat: Int64) async throws(PersistenceError) -> Bool {
        try await !database.query(ProviderStatements.release(worker, unlessBeatenSince: beat)).isEmpty
    }

    /// Gives all places of a process back: it leaves.
    package func leave(_ worker: WorkerID) async throws(PersistenceError) {
        try await database.execute(ProviderStatements.leave(worker))
    }

    /// Lets nobody ask for a time. The reason is a bounded machine word.
    package func block(
        _ model: ModelID, for duration: Duration, reason: String, limits: ProviderLimits
    ) async throws(PersistenceError) {
        try await database.execute(
            ProviderStatements.block(
                model, microseconds: duration.wholeMilliseconds * 1000, reason: reason, limits))
    }

    /// Asks a breaker whether a call may go out, when it is not known to be closed. `patience` is how long a probe may take.
    package func admit(_ model: ModelID, patience: Duration) async throws(PersistenceError) -> CircuitBreaker.Admission
    {
        try await withBreaker(model, limits: nil) { breaker, now in breaker.admit(at: now, patience: patience) }
            ?? .pass
    }

    /// Tells a breaker of a call that showed life.
    package func succeeded(_ model: ModelID) async throws(PersistenceError) {
        _ = try await withBreaker(model, limits: nil) { breaker, _ in breaker.succeeded() }
    }

    /// Tells a breaker of a probe that ended without a word about its provider.
    package func letGo(_ model: ModelID) async throws(PersistenceError) {
        _ = try await withBreaker(model, limits: nil) { breaker, now in breaker.letGo(at: now) }
    }

    /// Tells a breaker of a call that failed, and says where it stands then.
    package func failed(
        _ model: ModelID, limits: ProviderLimits, jitter: Double
    ) async throws(PersistenceError) -> CircuitBreaker {
        let rules = breakerRules
        return try await withBreaker(model, limits: limits) { breaker, now in
            breaker.failed(at: now, jitter: jitter, rules)
            return breaker
        } ?? CircuitBreaker()
    }

    /// What the change returns; `nil` without a row. `limits` are of a row that is made then; without them none is.
    private func withBreaker<Value: Sendable>(
        _ model: ModelID, limits: ProviderLimits?,
        _ change: @Sendable (inout CircuitBreaker, Timestamp) -> Value
    ) async throws(PersistenceError) -> Value? {
        try await database.withTransaction { transaction in
            let lock = ProviderStatements.lockBreaker(model)
            let read = limits.map { [ProviderStatements.ensure(model, $0), lock] } ?? [lock]
            guard let row = try await transaction.pipeline(read).last?.first else { return nil }
            var columns = ColumnReader(row)
            var breaker = CircuitBreaker()
            let state: Int16 = try columns.next()
            breaker.state = CircuitBreaker.State(rawValue: state) ?? .closed
            breaker.failures = try columns.next()
            breaker.openings = try columns.next()
            breaker.lastFailure = try columns.next()
            breaker.until = try columns.next()
            let now: Timestamp = try columns.next()
            let before = breaker
            let value = change(&breaker, now)
            if breaker != before { try await transaction.execute(ProviderStatements.storeBreaker(model, breaker)) }
            return value
        }
    }

    private static func ledger(_ row: PostgresRow) throws(PersistenceError) -> (ProviderLedger, Timestamp) {
        var columns = ColumnReader(row)
        let limits = ProviderLimits(
            maximumConcurrent: try columns.next(), requestsPerMinute: try columns.next(),
            tokensPerMinute: try columns.next())
        let requests = BudgetWindow(slots: try columns.next(), amounts: try columns.next())
        let tokens = BudgetWindow(slots: try columns.next(), amounts: try columns.next())
        let ledger = ProviderLedger(
            limits: limits, requests: requests, tokens: tokens, isPlaceWanted: try columns.next())
        return (ledger, try columns.next())
    }
}
