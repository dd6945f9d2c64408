// SPDX-License-Identifier: Apache-2.0
import HTTP
import Observability
import Runtime

extension ServerLoop {
    /// Starts the handler for a complete head; the body follows while it runs.
    func begin(_ connection: Connection, _ head: RequestHead) {
        let policy = shared.handler.policy(for: head.request)
        let maxBodyBytes = policy.maxBodyBytes ?? configuration.maxBodyBytes
        let now = ContinuousClock.now
        let serial = makeSerial()
        let id = connection.id
        let body =
            head.hasBody
            ? RequestBody(expectedBytes: head.bodyBytes, highWatermarkBytes: configuration.highWatermarkBytes) {
                [weak self] in self?.onLoop { $0.bodyDemanded(id, serial) }
            } : RequestBody()
        let exchange = Exchange(
            serial: serial, requestID: RequestID.of(head.request), head: head, policy: policy,
            maxBodyBytes: maxBodyBytes, body: body, startedAt: now)
        connection.exchange = exchange
        connection.state.headEnded(
            isPersistent: head.isPersistent, bodyDeadline: now + (policy.bodyTimeout ?? configuration.bodyTimeout))
        if let announced = head.bodyBytes, announced > maxBodyBytes {
            return refuse(connection, .bodyTooLarge, HTTPServerError(.bodyTooLarge))
        }
        var request = ServerRequest(id: exchange.requestID, head: head.request, body: body, peer: connection.peer)
        request.match = policy.match
        taskCount += 1
        let handler = shared.handler
        // Isolated to this loop, as is every function that it calls, unless that says otherwise.
        exchange.task = Task { [request] in
            await LogContext(requestID: request.id).run {
                await self.run(handler, request, id, serial)
            }
            self.endTask()
        }
    }

    nonisolated private func run(
        _ handler: any HTTPHandler, _ request: ServerRequest, _ id: ConnectionID, _ serial: UInt64
    ) async {
        let response = await handler.respond(to: request)
        guard case .stream(let produce) = response.body else {
            return onLoop { $0.respond(id, serial, response) }
        }
        guard await beginStream(id, serial, response) else { return }
        do {
            try await produce(ResponseBodyWriter(id: id, exchange: serial, server: self))
            await endStream(id, serial, isWhole: true)
        } catch {
            shared.logger.warning("a response was cut", [.errorDetail: LogValue(error)])
            await endStream(id, serial, isWhole: false)
        }
    }

    private func endTask() {
        taskCount -= 1
        noteProgressOfDrain()
    }

    /// The connection whose answer this is; nothing when it is gone or was answered below the router meanwhile.
    private func answerable(_ id: ConnectionID, _ serial: UInt64) -> (Connection, Exchange)? {
        guard let connection = connection(id), let exchange = connection.exchange, exchange.serial == serial,
            connection.state.phase == .open
        else { return nil }
        return (connection, exchange)
    }

    private func respond(_ id: ConnectionID, _ serial: UInt64, _ response: ServerResponse) {
        guard let (connection, exchange) = answerable(id, serial) else { return }
        let framing = write(connection, response, for: exchange)
        if case .eventStream(let stream) = response.body, framing == .chunked || framing == .untilClose,
            exchange.head.request.method != .head
        {
            note(exchange, response.status)
            openStream(connection, stream, isChunked: framing == .chunked)
        } else {
            finish(connection, exchange, response.status)
        }
    }

    private func finish(_ connection: Connection, _ exchange: Exchange, _ status: HTTPStatus) {
        note(exchange, status)
        endResponse(connection)
    }

    private func note(_ exchange: Exchange, _ status: HTTPStatus) {
        let duration = exchange.startedAt.duration(to: .now)
        shared.metrics.duration.observe(duration)
        shared.logger.debug(
            "request answered",
            [
                .requestID: .string(exchange.requestID), .httpMethod: .string(exchange.head.request.method.rawValue),
                .httpStatus: LogValue(status.code), .durationMilliseconds: LogValue(milliseconds: duration),
            ])
    }

    @discardableResult
    private func write(
        _ connection: Connection, _ response: ServerResponse, for exchange: Exchange
    ) -> ResponseEncoder.Framing {
        write(
            connection, response, requestID: exchange.requestID, isHead: exchange.head.request.method == .head,
            isVersion10: exchange.head.isVersion10)
    }

    /// Puts the head into the outbox, and the body when it is there; without it for HEAD.
    @discardableResult
    func write(
        _ connection: Connection, _ response: ServerResponse, requestID: String, isHead: Bool, isVersion10: Bool
    ) -> ResponseEncoder.Framing {
        let framing = ResponseEncoder.framing(of: response, isVersion10: isVersion10)
        if framing == .untilClose { connection.state.endSoon() }
        let closes = connection.state.responseBegan(isDraining: isDraining)
        shared.metrics.answered(statusClass: response.status.statusClass)
        prepareOutbox(connection)
        let options = ResponseEncoder.Options(
            requestID: requestID, isVersion10: isVersion10, closes: closes, date: date.now())
        ResponseEncoder.encodeHead(response, framing, options, into: &connection.outbox)
        if case .bytes(let bytes) = response.body, !isHead, framing != .none {
            connection.outbox.append(contentsOf: bytes)
        }
        markDirty(connection)
        return framing
    }

    /// The whole answer is in the outbox: the next request's turn, or the end.
    func endResponse(_ connection: Connection) {
        connection.exchange = nil
        connection.stream = nil
        markDirty(connection)
        if isDraining { connection.state.endSoon() }
        guard connection.state.responseEnded(idleDeadline: .now + configuration.idleTimeout) else { return }
        if connection.parser == nil { connection.parser = RequestParser(limits: configuration) }
        continueInput(connection)
    }

    // MARK: Answers written by their task

    private func beginStream(_ id: ConnectionID, _ serial: UInt64, _ response: ServerResponse) -> Bool {
        guard let (connection, exchange) = answerable(id, serial) else { return false }
        let framing = write(connection, response, for: exchange)
        exchange.isChunked = framing == .chunked
        exchange.status = response.status
        if framing == .none || exchange.head.request.method == .head {
            finish(connection, exchange, response.status)
            return false
        }
        return true
    }

    /// - Returns: false when the client is gone.
    func write(_ bytes: [UInt8], _ id: ConnectionID, _ serial: UInt64) async -> Bool {
        guard let (connection, exchange) = answerable(id, serial) else { return false }
        prepareOutbox(connection)
        if exchange.isChunked {
            ResponseEncoder.encodeChunk(bytes, into: &connection.outbox)
        } else {
            connection.outbox.append(contentsOf: bytes)
        }
        markDirty(connection)
        guard connection.outboxBytes > configuration.highWatermarkBytes else { return true }
        return await withContinuation { continuation in
            // Looked at again: every await may let the loop do something else first.
            guard !connection.isClosed, connection.outboxBytes > configuration.highWatermarkBytes else {
                return continuation.resume(returning: !connection.isClosed)
            }
            // Writers are used by one task at a time; should two wait, the earlier goes on over the mark.
            connection.drainWaiter.take()?.resume(returning: true)
            connection.drainWaiter = continuation
        }
    }

    private func endStream(_ id: ConnectionID, _ serial: UInt64, isWhole: Bool) {
        guard let (connection, exchange) = answerable(id, serial) else { return }
        guard isWhole else { return close(connection) }
        if exchange.isChunked {
            prepareOutbox(connection)
            ResponseEncoder.encodeLastChunk(into: &connection.outbox)
        }
        finish(connection, exchange, exchange.status)
    }
}
