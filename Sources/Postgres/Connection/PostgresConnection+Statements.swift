// SPDX-License-Identifier: Apache-2.0
import Runtime

extension PostgresConnection {
    /// Runs one statement.
    ///
    /// - Parameter deadline: when the statement is to be cancelled on the server, or dropped from the line.
    /// - Throws: `sqlState`, `connectionLost`, `queueFull`, `cancelled`, `deadlineExceeded`, `invalidStatement`, `closed`.
    package func query(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> PostgresRows {
        let results = try await perform(.statements([sql]), owner: nil, deadline: deadline)
        guard let rows = results.first else { throw PostgresError(.connectionLost(mayHaveCommitted: true)) }
        return rows
    }

    /// Runs one statement for its effect.
    ///
    /// - Returns: the rows it affected.
    @discardableResult
    package func execute(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> Int {
        try await query(sql, deadline: deadline).affectedRows
    }

    /// Runs statements in one round trip and one implicit transaction: all or none.
    ///
    /// - Returns: one result a statement.
    /// - Throws: as ``query(_:deadline:)``: the first failure; the statements behind it are not run.
    package func pipeline(
        _ statements: [SQL], deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> [PostgresRows] {
        if statements.isEmpty { return [] }
        return try await perform(.statements(statements), owner: nil, deadline: deadline)
    }

    /// Runs a text of several statements, in one implicit transaction unless it says otherwise: for migrations that
    /// come as files. It waits until the wire is empty, and nothing else is sent before it ends.
    package func runScript(_ script: String, deadline: ContinuousClock.Instant? = nil) async throws(PostgresError) {
        _ = try await perform(.script(script), owner: nil, deadline: deadline)
    }

    /// Puts a call in line and waits for its answer.
    ///
    /// - Parameter shielded: not given up when the task is cancelled, for the end of a transaction.
    func perform(
        _ body: Exchange.Body, owner: UInt64?, deadline: ContinuousClock.Instant?, shielded: Bool = false
    ) async throws(PostgresError) -> [PostgresRows] {
        if case .statements(let statements) = body { try Self.check(statements) }
        if case .script(let script) = body, script.utf8.contains(0) { throw PostgresError(.invalidStatement) }
        lastNumber += 1
        let number = lastNumber
        if shielded { return try await wait(number, body, owner, deadline).get() }
        if Task.isCancelled { throw PostgresError(.cancelled) }
        return try await withTaskCancellationHandler {
            await wait(number, body, owner, deadline)
        } onCancel: {
            loop.execute { [weak self] in self?.assumeIsolated { $0.giveUp(number, .task) } }
        }.get()
    }

    private func wait(
        _ number: UInt64, _ body: Exchange.Body, _ owner: UInt64?, _ deadline: ContinuousClock.Instant?
    ) async -> Exchange.Answer {
        await withCheckedContinuation { answer in
            submit(number, body, owner, deadline, answer)
        }
    }

    private func submit(
        _ number: UInt64, _ body: Exchange.Body, _ owner: UInt64?, _ deadline: ContinuousClock.Instant?,
        _ answer: CheckedContinuation<Exchange.Answer, Never>
    ) {
        if let refusal = refusal(owner) { return answer.resume(returning: .failure(PostgresError(refusal))) }
        let exchange = Exchange(number: number, body: body, owner: owner, answer: answer)
        if let deadline {
            exchange.timer = loop.schedule(at: deadline) { [weak self] in
                self?.assumeIsolated { $0.giveUp(number, .deadline) }
            }
        }
        if owner == nil { waiting.append(exchange) } else { ownerWaiting.append(exchange) }
        pump()
    }

    private func refusal(_ owner: UInt64?) -> PostgresError.Code? {
        if state != .open { return .connectionLost(mayHaveCommitted: false) }
        if owner != nil, owner != self.owner { return .closed }
        let line = owner == nil ? waiting.count : ownerWaiting.count
        return line >= configuration.waitingLimit ? .queueFull : nil
    }

    private static func check(_ statements: [SQL]) throws(PostgresError) {
        for sql in statements {
            let bytes = sql.writer.bytes.count + sql.text.utf8.count
            if sql.writer.refusal == nil, sql.binds.count <= 65_535, bytes < 1_000_000_000 { continue }
            let reason =
                switch sql.writer.refusal {
                case .nulInText: "a text holds U+0000"
                case .outOfRange, nil: "the values are too many or too large"
                }
            throw PostgresError(.invalidStatement, detail: reason).during(sql.text)
        }
    }
}
