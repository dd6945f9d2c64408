// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime

extension ServerLoop {
    private static let maxSpareBuffers = 64
    private static let maxSpareBufferBytes = 64 << 10

    /// Gives an empty outbox a buffer that was used before.
    func prepareOutbox(_ connection: Connection) {
        if connection.outbox.capacity == 0, let spare = spareBuffers.popLast() { connection.outbox = spare }
    }

    /// Puts bytes into the outbox, to be sent at the end of the turn.
    func append(_ connection: Connection, _ bytes: [UInt8]) {
        prepareOutbox(connection)
        connection.outbox.append(contentsOf: bytes)
        markDirty(connection)
    }

    /// One system call a connection and turn, however many answers or events came together.
    func markDirty(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection)
        if dirty.count == 1 { loop.atEndOfTurn { [self] in flushDirty() } }
    }

    private func flushDirty() {
        var connections: [Connection] = []
        swap(&connections, &dirty)
        for connection in connections {
            connection.isDirty = false
            // A blocked connection goes on when the kernel says so.
            if !connection.isClosed, !connection.interest.contains(.write) { flush(connection) }
        }
        connections.removeAll(keepingCapacity: connections.capacity <= 4096)
        if dirty.isEmpty { swap(&connections, &dirty) }
    }

    /// Sends what the kernel takes.
    func flush(_ connection: Connection) {
        collectStream(connection)
        guard !connection.isClosed else { return }
        guard connection.outboxBytes > 0 else { return drained(connection) }
        // The buffer leaves the connection meanwhile, so that reading from it and changing it do not overlap.
        var outbox: [UInt8] = []
        swap(&outbox, &connection.outbox)
        var sent = 0
        do {
            sent = try Socket.send(
                connection.id.descriptor, outbox.span.extracting(connection.outboxStart..<outbox.count))
        } catch {
            guard error.wouldBlock else { return close(connection) }
        }
        shared.metrics.sentBytes.increment(by: sent)
        connection.outboxStart += sent
        guard connection.outboxStart < outbox.count else {
            connection.outboxStart = 0
            recycle(&outbox)
            return drained(connection)
        }
        if sent > 0 || connection.stalledSince == nil { connection.stalledSince = .now }
        if connection.outboxStart > outbox.count / 2 || outbox.capacity > 4 * outbox.count {
            connection.outbox = Array(outbox[connection.outboxStart...])
            connection.outboxStart = 0
            recycle(&outbox)
        } else {
            swap(&outbox, &connection.outbox)
        }
        blocked(connection)
    }

    private func recycle(_ buffer: inout [UInt8]) {
        guard spareBuffers.count < Self.maxSpareBuffers, buffer.capacity <= Self.maxSpareBufferBytes else { return }
        buffer.removeAll(keepingCapacity: true)
        spareBuffers.append(buffer)
    }

    private func blocked(_ connection: Connection) {
        setInterest(connection, connection.interest.union(.write))
        guard !connection.isClosed else { return }
        if connection.outboxBytes <= configuration.highWatermarkBytes / 2 {
            connection.drainWaiter.take()?.resume(returning: true)
        }
        connection.stream?.writer.wrote(outboxBytes: connection.outboxBytes)
    }

    private func drained(_ connection: Connection) {
        connection.stalledSince = nil
        if connection.interest.contains(.write) {
            setInterest(connection, connection.interest.subtracting(.write))
            guard !connection.isClosed else { return }
        }
        connection.drainWaiter.take()?.resume(returning: true)
        connection.stream?.writer.wrote(outboxBytes: 0)
        if connection.state.phase == .closing, !connection.isClosed { linger(connection) }
    }

    /// Says that nothing more comes and reads what the client still sends: closing at once would let its bytes
    /// reset the connection, and the answer could be lost on the way.
    private func linger(_ connection: Connection) {
        guard !connection.hasEnded else { return close(connection) }
        do {
            try Socket.shutDown(connection.id.descriptor, .writing)
        } catch {
            // The client was faster; nothing of ours is lost.
            shared.logger.debug("a connection was gone at its end", [.errorDetail: LogValue(error)])
            return close(connection)
        }
        connection.state.lingerBegan(deadline: .now + configuration.lingerTimeout)
        connection.parser = nil
        setInterest(connection, .read)
    }
}
