// SPDX-License-Identifier: Apache-2.0
import Runtime

// Sending and receiving, in the order the server keeps.
extension PostgresConnection {
    /// Sends what may be sent.
    func pump() {
        guard state == .open else { return }
        while state == .open, !cancelIsOut, !drainAfterCancel, !outputBlocked, !scriptRunning,
            inFlight.count < configuration.inFlightLimit, let exchange = nextToSend()
        {
            inFlight.append(exchange)
            guard send(exchange) == .sent else { return end(.lost, detail: handle?.errorMessage) }
            flush()
        }
    }

    private func nextToSend() -> Exchange? {
        if owner != nil {
            guard let exchange = ownerWaiting.popFirst() else { return nil }
            // Put in front only now: what was to go first may have left the line.
            if !ownerHasBegun, case .statements(let statements) = exchange.body {
                ownerHasBegun = true
                exchange.hiddenResults = 1
                exchange.body = .statements([ownerBegin] + statements)
            }
            return exchange
        }
        while let first = waiting.first {
            switch first.body {
            case .statements: return waiting.popFirst()
            case .script: return expected.isEmpty ? waiting.popFirst() : nil
            case .exclusive:
                guard expected.isEmpty else { return nil }
                _ = waiting.popFirst()
                owner = first.number
                ownerHasBegun = false
                finish(first, .success([]))
                return nil
            }
        }
        return nil
    }

    private func send(_ exchange: Exchange) -> ConnectionHandle.SendResult {
        switch exchange.body {
        case .statements(let statements): sendStatements(statements, of: exchange)
        case .script(let script): sendScript(script, of: exchange)
        case .exclusive: .sent
        }
    }

    /// Preparing has a Sync of its own: whatever fails in the call, the text is prepared or it is not, and the calls
    /// behind it know which.
    private func sendStatements(_ statements: [SQL], of exchange: Exchange) -> ConnectionHandle.SendResult {
        var names: [String?] = []
        var evicted: [String] = []
        var prepares = false
        for sql in statements {
            guard sql.isPrepared else {
                names.append(nil)
                continue
            }
            let lookup = cache.use(sql)
            names.append(lookup.name)
            guard lookup.isNew else { continue }
            prepares = true
            if let name = lookup.evicted { evicted.append(name) }
            guard handle?.sendPrepare(lookup.name, sql) == .sent else { return .broken }
            expected.append(.preparation(exchange, text: sql.text))
        }
        if prepares {
            guard handle?.synchronize() == .sent else { return .broken }
            expected.append(.upkeepEnd)
        }
        for (index, sql) in statements.enumerated() {
            let sent = names[index].map { handle?.sendPrepared($0, sql) } ?? handle?.sendOnce(sql)
            guard sent == .sent else { return .broken }
            expected.append(.statement(exchange, index: index))
        }
        if !evicted.isEmpty {
            guard handle?.synchronize() == .sent else { return .broken }
            expected.append(.commit(exchange))
            guard deallocate(evicted) == .sent else { return .broken }
        }
        guard handle?.synchronize() == .sent else { return .broken }
        expected.append(.end(exchange))
        return .sent
    }

    /// Behind the statements, which may be the last to use them.
    private func deallocate(_ names: [String]) -> ConnectionHandle.SendResult {
        for name in names {
            guard handle?.sendDeallocate(name) == .sent else { return .broken }
            expected.append(.deallocation)
        }
        return .sent
    }

    private func sendScript(_ script: String, of exchange: Exchange) -> ConnectionHandle.SendResult {
        guard handle?.leavePipeline() == .sent, handle?.sendScript(script) == .sent else { return .broken }
        scriptRunning = true
        expected.append(.script(exchange))
        return .sent
    }

    private func flush() {
        guard let done = handle?.flush() else { return end(.lost, detail: handle?.errorMessage) }
        outputBlocked = !done
        let wanted: Interest = done ? .read : [.read, .write]
        if wanted != interest { watch(wanted) }
    }

    /// The socket is ready.
    func service(_ readiness: Readiness) {
        if readiness != .writable {
            let intact = handle?.consumeInput() ?? false
            // What arrived before the end is still answered.
            receive()
            guard state == .open else { return }
            if !intact || handle?.isBroken ?? true { return end(.lost, detail: handle?.errorMessage) }
        }
        if outputBlocked { flush() }
        pump()
    }

    private func receive() {
        var emptyAnswers = 0
        while state == .open, let expectation = expected.first, handle?.isBusy == false {
            guard let result = handle?.nextResult() else {
                if sawResult, expectation.isCommand {
                    sawResult = false
                    emptyAnswers = 0
                    completeCommand(expectation)
                } else {
                    emptyAnswers += 1
                    if emptyAnswers > 2 { break }
                }
                continue
            }
            emptyAnswers = 0
            take(result, expectation)
        }
        while state == .open, let (channel, payload) = handle?.nextNotification() {
            onNotification?(channel, payload)
        }
    }

    private func take(_ result: ResultHandle, _ expectation: Expectation) {
        switch (expectation, result.status) {
        case (.upkeepEnd, .synchronized), (.commit, .synchronized):
            _ = expected.popFirst()
        case (.end(let exchange), .synchronized):
            _ = expected.popFirst()
            complete(exchange)
        case (.commit(let exchange), .failed), (.end(let exchange), .failed):
            // A deferred constraint fails at the commit, after every statement has succeeded.
            note(result, exchange, index: nil)
        case (.upkeepEnd, _), (.commit, _), (.end, _), (_, .synchronized):
            end(.lost, detail: "the server's answers are out of order")
        case (.preparation(let exchange, let text), .failed):
            sawResult = true
            cache.forget(text)
            note(result, exchange, index: 0)
        case (.preparation(_, let text), .skipped):
            sawResult = true
            cache.forget(text)
        case (.preparation, _), (.deallocation, _):
            sawResult = true
        case (.statement(let exchange, let index), .failed):
            sawResult = true
            note(result, exchange, index: index)
        case (.statement(let exchange, _), .rows), (.statement(let exchange, _), .command):
            sawResult = true
            exchange.results.append(PostgresRows(result: result))
        case (.statement, .skipped):
            sawResult = true
        case (.script(let exchange), .failed):
            sawResult = true
            note(result, exchange, index: nil)
        case (.script, _):
            sawResult = true
        }
    }

    private func note(_ result: ResultHandle, _ exchange: Exchange, index: Int?) {
        guard exchange.error == nil else { return }
        var error = result.error
        if let index, case .statements(let statements) = exchange.body, statements.indices.contains(index) {
            error.statement = statements[index].text
            exchange.failedIndex = index
            exchange.planIsVoid =
                error.sqlState == "26000"
                || (error.sqlState == "0A000" && result.errorRoutine == "RevalidateCachedQuery")
        }
        exchange.error = error
        // The server hangs up after this: nobody is to be given the connection in the meantime.
        if result.isFatal { end(.lost, detail: error.detail) }
    }

    private func completeCommand(_ expectation: Expectation) {
        _ = expected.popFirst()
        guard case .script(let exchange) = expectation else { return }
        scriptRunning = false
        guard handle?.enterPipeline() == .sent else { return end(.lost, detail: handle?.errorMessage) }
        complete(exchange)
    }

    private func complete(_ exchange: Exchange) {
        _ = inFlight.popFirst()
        if owner != nil { setClean(true) } else if let open = handle?.isInTransaction { setClean(!open) }
        if inFlight.isEmpty, !cancelIsOut { drainAfterCancel = false }
        if repeatIfInnocent(exchange) { return }
        finish(exchange, answer(of: exchange))
        cancelHeadIfGivenUp()
    }

    private func answer(of exchange: Exchange) -> Exchange.Answer {
        guard var error = exchange.error else {
            return .success(Array(exchange.results.dropFirst(exchange.hiddenResults)))
        }
        if error.sqlState == "57014", let givenUp = exchange.givenUp {
            let statement = error.statement
            error = PostgresError(givenUp == .task ? .cancelled : .deadlineExceeded)
            error.statement = statement
        }
        return .failure(error)
    }

    /// A call that failed for what others did is sent again: its plan was made void by a change of the schema,
    /// or it was hit by a cancel meant for the one before it. Never within a transaction, which is rolled back.
    private func repeatIfInnocent(_ exchange: Exchange) -> Bool {
        guard let error = exchange.error, case .statements(let statements) = exchange.body else { return false }
        // Also of a call that is not sent again: the next one would fail as well.
        if exchange.planIsVoid { for sql in statements { cache.forget(sql.text) } }
        guard exchange.repeats < 16, exchange.owner == nil, exchange.givenUp == nil else { return false }
        let planIsVoid = exchange.planIsVoid && exchange.failedIndex == 0 && exchange.repeats == 0
        guard planIsVoid || (error.sqlState == "57014" && exchange.isExposedToCancel) else { return false }
        exchange.resetForRepeat()
        waiting.prepend(exchange)
        return true
    }
}
