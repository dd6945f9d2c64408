// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime
import Synchronization

extension PostgresPool {
    /// Waits for a connection; the caller gives it back exactly once.
    func borrow(_ deadline: ContinuousClock.Instant?) async throws(PostgresError) -> Loan {
        if !Task.isCancelled, let loan = lendIdle() { return loan }
        let start = ContinuousClock.now
        let deadline = deadline ?? start + limits.borrowTimeout
        while true {
            let loan = try await wait(deadline).get()
            if loan.connection.isOpen {
                metrics.wait.observe(ContinuousClock.now - start)
                return loan
            }
            // It ended between two looks at it.
            giveBack(loan)
        }
    }

    private func lendIdle() -> Loan? {
        let found: Loan? = state.withLock { state in
            guard let (slot, connection) = state.machine.lendIdle() else { return nil }
            metrics.inUse.set(state.machine.lentCount)
            return Loan(slot: slot, connection: connection)
        }
        guard let found else { return nil }
        metrics.wait.observe(.zero)
        if found.connection.isOpen { return found }
        // It ended between two looks at it.
        giveBack(found)
        return nil
    }

    /// A connection that broke or was left in a transaction is closed.
    func giveBack(_ loan: Loan) {
        let usable = loan.connection.isOpen && loan.connection.isClean
        step { $0.giveBack(slot: loan.slot, usable: usable, now: .now) }
    }

    private func wait(_ deadline: ContinuousClock.Instant) async -> Result<Loan, PostgresError> {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        return await withCancellationHandler {
            await withContinuation { continuation in
                if Task.isCancelled { return continuation.resume(returning: .failure(PostgresError(.cancelled))) }
                step { machine, borrowers in
                    borrowers[number] = continuation
                    return machine.acquire(number, deadline: deadline, now: .now)
                }
                // A cancellation that came before the borrower was in line found nothing to remove.
                if Task.isCancelled { giveUp(number) }
            }
        } onCancel: {
            giveUp(number)
        }
    }

    private func giveUp(_ number: UInt64) {
        let continuation = state.withLock { state in
            state.machine.giveUp(number) ? state.borrowers.removeValue(forKey: number) : nil
        }
        continuation?.resume(returning: .failure(PostgresError(.cancelled)))
    }

    // MARK: Machine to action

    func step(
        _ event: @Sendable (inout PoolMachine<PostgresConnection>) -> [PoolMachine<PostgresConnection>.Action]
    ) {
        step { machine, _ in event(&machine) }
    }

    /// Takes the lock, tells the machine, drops the lock, does what it says.
    private func step(
        _ event:
            @Sendable (
                inout PoolMachine<PostgresConnection>,
                inout [UInt64: CheckedContinuation<Result<Loan, PostgresError>, Never>]
            ) -> [PoolMachine<PostgresConnection>.Action]
    ) {
        let followUps = state.withLock { state in
            let actions = event(&state.machine, &state.borrowers)
            let followUps = actions.compactMap { prepare($0, &state) }
            metrics.inUse.set(state.machine.lentCount)
            metrics.open.set(state.machine.openCount)
            metrics.waiting.set(state.machine.waitingCount)
            return followUps
        }
        for followUp in followUps { followUp() }
    }

    private func prepare(
        _ action: PoolMachine<PostgresConnection>.Action, _ state: inout State
    ) -> (@Sendable () -> Void)? {
        switch action {
        case .lend(let waiter, let slot, let connection):
            guard let borrower = state.borrowers.removeValue(forKey: waiter) else { return nil }
            return { borrower.resume(returning: .success(Loan(slot: slot, connection: connection))) }
        case .refuse(let waiter, let code):
            guard let borrower = state.borrowers.removeValue(forKey: waiter) else { return nil }
            let error = PostgresError(code, detail: state.lastFailure?.debugDescription)
            return { borrower.resume(returning: .failure(error)) }
        case .connect(let slot): return { _ = self.work.send(.connect(slot: slot)) }
        case .check(let slot, let connection): return { _ = self.work.send(.check(slot: slot, connection)) }
        case .close(let connection): return { connection.closeSoon() }
        case .drained: return { self.work.finish() }
        case .wake(let instant):
            if let known = state.wakeAt, known <= instant { return nil }
            state.wakeAt = instant
            return { self.scheduleTick(at: instant) }
        }
    }

    private func scheduleTick(at instant: ContinuousClock.Instant) {
        let loop = loops[0]
        loop.execute { [weak self] in
            _ = loop.schedule(at: instant) {
                guard let self else { return }
                self.state.withLock { state in if state.wakeAt == instant { state.wakeAt = nil } }
                self.step { $0.tick(now: .now) }
            }
        }
    }

    // MARK: Work of the service

    func perform(_ work: Work) async {
        switch work {
        case .connect(let slot): await connect(slot)
        case .check(let slot, let connection):
            do throws(PostgresError) {
                _ = try await connection.query("SELECT 1", deadline: .now + limits.checkTimeout)
            } catch {
                logger.warning("an idle connection did not answer", [.errorCode: .string(error.label)])
                await connection.close()
            }
            step { $0.checkEnded(slot: slot, now: .now) }
        }
    }

    private func connect(_ slot: Int) async {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(
                configuration, on: loops[slot % loops.count], blocking: blocking, logger: logger,
                onClose: { [weak self] in self?.step { $0.broke(slot: slot, now: .now) } })
            metrics.connects.increment()
            state.withLock { $0.lastFailure = nil }
            step { machine in
                // Under the lock: whoever closes it clears the flag first and tells the machine afterwards.
                connection.isOpen
                    ? machine.connected(slot: slot, connection, now: .now)
                    : machine.connectFailed(slot: slot, delay: .zero, now: .now)
            }
        } catch {
            metrics.failures.increment()
            let attempt = state.withLock { state in
                state.lastFailure = error
                return state.machine.failures
            }
            let delay = limits.backoff.delay(attempt: attempt)
            logger.log(
                error.isMisconfigured ? .error : .warning, "no connection to the database",
                [
                    .errorCode: .string(error.label), .databaseSQLState: .string(error.sqlState ?? ""),
                    .retryAttempt: LogValue(attempt), .delayMilliseconds: LogValue(milliseconds: delay),
                ])
            step { $0.connectFailed(slot: slot, delay: delay, now: .now) }
        }
    }
}
