// SPDX-License-Identifier: Apache-2.0
import HTTP
import Observability
import Runtime
import Synchronization

extension ServerLoop {
    /// A stream was written to. Any thread; one wake-up for however many streams until the loop looks.
    nonisolated func post(_ id: ConnectionID) {
        let isFirst = posted.withLock { posted in
            posted.append(id)
            return posted.count == 1
        }
        if isFirst { loop.execute { self.assumeIsolated { $0.takePosted() } } }
    }

    private func takePosted() {
        let ids = posted.withLock { posted in
            var ids: [ConnectionID] = []
            swap(&ids, &posted)
            return ids
        }
        for id in ids {
            guard let connection = connection(id) else { continue }
            if connection.stream?.writer.hasOverflown == true {
                shared.metrics.overflownStreams.increment()
                close(connection)
            } else {
                markDirty(connection)
            }
        }
    }

    /// From here on the connection belongs to a writer: no task, no parser, no buffers.
    func openStream(_ connection: Connection, _ stream: ServerResponse.EventStreamBody, isChunked: Bool) {
        let writer = EventStreamWriter(
            id: connection.id, server: self, maxBufferedBytes: configuration.eventStreamMaxBufferedBytes)
        do {
            try Socket.setSendBuffer(connection.id.descriptor, bytes: configuration.eventStreamSendBufferBytes)
        } catch {
            shared.logger.warning("cannot bound a send buffer", [.errorDetail: LogValue(error)])
        }
        connection.stream = OpenStream(
            writer: writer, heartbeat: stream.heartbeat, nextHeartbeat: .now + stream.heartbeat, isChunked: isChunked)
        connection.exchange = nil
        connection.state.eventStreamBegan()
        // The parser is kept only when bytes of a next request wait for it.
        if connection.pending.isEmpty { connection.parser = nil }
        setInterest(connection, connection.interest.subtracting(.read))
        shared.metrics.eventStreams.increment()
        shortestHeartbeat = min(shortestHeartbeat, stream.heartbeat)
        if isDraining { writer.finish() }
        stream.onOpen(writer)
    }

    /// Moves what a stream's writer collected into the outbox, as one chunk.
    func collectStream(_ connection: Connection) {
        guard let stream = connection.stream else { return }
        let taken = stream.writer.take()
        if !taken.bytes.isEmpty {
            prepareOutbox(connection)
            appendToStream(connection, taken.bytes, isChunked: stream.isChunked)
        }
        if taken.isFinished { endEventStream(connection, stream) }
    }

    func appendToStream(_ connection: Connection, _ bytes: [UInt8], isChunked: Bool) {
        if isChunked {
            ResponseEncoder.encodeChunk(bytes, into: &connection.outbox)
        } else {
            connection.outbox.append(contentsOf: bytes)
        }
    }

    private func endEventStream(_ connection: Connection, _ stream: OpenStream) {
        if stream.isChunked {
            prepareOutbox(connection)
            ResponseEncoder.encodeLastChunk(into: &connection.outbox)
        }
        connection.stream = nil
        shared.metrics.eventStreams.decrement()
        endResponse(connection)
        stream.writer.close()
    }

    /// A comment when it is time, unless the client has earlier bytes to take first.
    func beat(_ connection: Connection, _ now: ContinuousClock.Instant) {
        guard let stream = connection.stream, stream.nextHeartbeat <= now else { return }
        let next = stream.nextHeartbeat + stream.heartbeat
        connection.stream?.nextHeartbeat = next > now ? next : now + stream.heartbeat
        guard connection.outboxBytes == 0 else { return }
        // What was posted before goes first; both leave together.
        collectStream(connection)
        guard connection.stream != nil, !connection.isClosed else { return }
        prepareOutbox(connection)
        appendToStream(connection, ServerSentEvent.heartbeat, isChunked: stream.isChunked)
        markDirty(connection)
    }
}
