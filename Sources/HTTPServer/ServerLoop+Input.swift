// SPDX-License-Identifier: Apache-2.0
import HTTP
import Observability
import Runtime

extension ServerLoop {
    /// Reads once; level-triggered readiness brings the rest, and other connections their turn.
    func read(_ connection: Connection) {
        let isLingering = connection.state.phase == .lingering
        guard isLingering || isReading(connection) else {
            return setInterest(connection, connection.interest.subtracting(.read))
        }
        let count: Int
        do {
            count = try Socket.read(connection.id.descriptor, into: &scratch)
        } catch {
            if !error.wouldBlock { close(connection) }
            return
        }
        guard count > 0 else { return endOfInput(connection) }
        shared.metrics.receivedBytes.increment(by: count)
        if isLingering {
            connection.lingeredBytes += count
            if connection.lingeredBytes > configuration.lingerBytes { close(connection) }
        } else {
            process(connection, scratch, end: count)
        }
    }

    private func isReading(_ connection: Connection) -> Bool {
        connection.state.wantsInput && connection.pending.isEmpty && !connection.isPaused
    }

    /// Goes on with what was left unread, or reads on.
    func continueInput(_ connection: Connection) {
        guard !connection.isClosed, connection.state.wantsInput, !connection.isPaused else { return }
        var bytes: [UInt8] = []
        swap(&bytes, &connection.pending)
        // Also without bytes: the parser may have the end of a request that came with its last bytes.
        process(connection, bytes, end: bytes.count)
        guard !connection.isClosed, isReading(connection) else { return }
        setInterest(connection, connection.interest.union(.read))
    }

    private func process(_ connection: Connection, _ bytes: [UInt8], end: Int) {
        var position = 0
        while connection.state.wantsInput, !connection.isPaused, !connection.isClosed, let parser = connection.parser {
            if connection.state.input == .idle {
                guard position < end else { break }
                connection.state.requestBegan(
                    headDeadline: .now + configuration.headTimeout, isFirst: connection.isFirstRequest)
                connection.isFirstRequest = false
            }
            let event = parser.next(bytes, &position, end: end)
            switch event {
            case .needsMore: return
            case .head(let head): begin(connection, head)
            case .body(let chunk): deliver(connection, chunk)
            case .complete: completeInput(connection)
            case .refused(let refusal):
                position = end
                refuse(connection, refusal)
            }
        }
        guard position < end, connection.state.phase == .open, !connection.isClosed else { return }
        connection.pending.append(contentsOf: bytes[position..<end])
        setInterest(connection, connection.interest.subtracting(.read))
    }

    private func deliver(_ connection: Connection, _ chunk: [UInt8]) {
        guard let exchange = connection.exchange else { return }
        exchange.awaitsContinue = false
        exchange.receivedBytes += chunk.count
        guard exchange.receivedBytes <= exchange.maxBodyBytes else {
            return refuse(connection, .bodyTooLarge, HTTPServerError(.bodyTooLarge))
        }
        if !exchange.body.append(chunk) {
            connection.isPaused = true
            setInterest(connection, connection.interest.subtracting(.read))
        }
    }

    private func completeInput(_ connection: Connection) {
        connection.state.inputEnded()
        connection.exchange?.body.finish()
    }

    /// The handler asks for the body: the client may be told to send it, and a full buffer is empty again.
    func bodyDemanded(_ id: ConnectionID, _ serial: UInt64) {
        guard let connection = connection(id), let exchange = connection.exchange, exchange.serial == serial
        else { return }
        if exchange.awaitsContinue, connection.state.output == .pending, connection.state.input == .body {
            exchange.awaitsContinue = false
            append(connection, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        if connection.isPaused, !exchange.body.isPaused {
            connection.isPaused = false
            continueInput(connection)
        }
    }

    private func endOfInput(_ connection: Connection) {
        connection.hasEnded = true
        connection.hasHungUp = true
        switch connection.state.input {
        case _ where connection.state.phase == .lingering: close(connection)
        case .head:
            refuse(connection, .malformed("The request ended early."))
        case .body:
            refuse(connection, .malformed("The request's body ended early."), HTTPServerError(.bodyMalformed))
        case .idle where connection.outboxBytes == 0: close(connection)
        case .idle: endAfterFlush(connection)
        case .complete: break
        }
        if !connection.isClosed { setInterest(connection, connection.interest) }
    }

    /// No further request; the answer that is still here is sent.
    func endAfterFlush(_ connection: Connection) {
        connection.state.closeAfterFlush()
        markDirty(connection)
    }

    /// Answers below the router and ends the connection: what it sends from here on is read only to be dropped.
    func refuse(_ connection: Connection, _ refusal: RequestRefusal, _ bodyError: HTTPServerError? = nil) {
        shared.metrics.refused(refusal)
        let exchange = connection.exchange
        exchange?.body.fail(bodyError ?? HTTPServerError(.bodyMalformed))
        clientLeft(connection)
        connection.pending = []
        connection.isPaused = false
        guard connection.state.refused() else { return close(connection) }
        let requestID = exchange?.requestID ?? RequestID.random()
        shared.logger.debug(
            "request refused",
            [.requestID: .string(requestID), .httpStatus: LogValue(refusal.status.code), .reason: "\(refusal.kind)"])
        let response = shared.refusalResponder(refusal, requestID)
        write(
            connection, response, requestID: requestID, isHead: exchange?.head.request.method == .head,
            isVersion10: exchange?.head.isVersion10 ?? false)
        endResponse(connection)
    }
}
