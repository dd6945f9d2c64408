// SPDX-License-Identifier: Apache-2.0
import Runtime

extension PostgresConnection {
    /// Runs one statement. At the deadline it is cancelled on the server, or dropped from the line.
    ///
    /// Throws `sqlState`, `connectionLost`, `queueFull`, `cancelled`, `deadlineExceeded`, `invalidStatement`, `closed`.
    package func query(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil
    ) async throws(PostgresError) -> PostgresRows {
        let results = try await perform(.statements([sql]), owner: nil, deadline: deadline)
        guard let rows = results.first else { throw PostgresError(.connectionLost(mayHaveCommitted: true)) }
        return rows
    }

    /// Runs two statements as two transactions, the second right behind the first and whatever became of it: one round
    /// trip.
    ///
    /// - Returns: what each came to, as ``query(_:deadline:)`` would tell it.
    package func query(
        _ sql: SQL, then second: SQL, deadline: ContinuousClock.Instant? = nil
    ) async -> (Result<PostgresRows, PostgresError>, Result<PostgresRows, PostgresError>) {
        await together {
            await self.answer(to: sql, deadline: deadline)
        } _: {
            await answer(to: second, deadline: deadline)
        }
    }

    private func answer(
        to sql: SQL, deadline: ContinuousClock.Instant?
    ) async -> Result<PostgresRows, PostgresError> {
        do throws(PostgresError) { return .success(try await query(sql, deadline: deadline)) } catch {
            return .failure(error)
        }
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

    /// Runs statements in one round trip and one implicit transaction: all or none. They do not begin or end
    /// transactions themselves.
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

    /// Puts a call in line and waits for its answer. A shielded one is not given up when the task is cancelled: the
    /// end of a transaction.
    func perform(
        _ body: Exchange.Body, owner: UInt64?, deadline: ContinuousClock.Instant?, shielded: Bool = false,
        number: UInt64? = nil
    ) async throws(PostgresError) -> [PostgresRows] {
        if case .statements(let statements) = body { for sql in statements { try sql.checkSendable() } }
        if case .script(let script) = body, script.utf8.contains(0) { throw PostgresError(.invalidStatement) }
        let number = number ?? nextNumber()
        if shielded { return try await wait(number, body, owner, deadline, shielded: true).get() }
        if Task.isCancelled { throw PostgresError(.cancelled) }
        return try await withTaskCancellationHandler {
            await wait(number, body, owner, deadline, shielded: false)
        } onCancel: {
            loop.execute { [weak self] in self?.assumeIsolated { $0.giveUp(number, .task) } }
        }.get()
    }

    func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    private func wait(
        _ number: UInt64, _ body: Exchange.Body, _ owner: UInt64?, _ deadline: ContinuousClock.Instant?, shielded: Bool
    ) async -> Exchange.Answer {
        await withContinuation { answer in
            submit(number, body, owner, deadline, answer)
            // A cancellation that came before found nothing to give up.
            if !shielded, Task.isCancelled { giveUp(number, .task) }
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
}
