// SPDX-License-Identifier: Apache-2.0
import Runtime

extension ServerLoop {
    /// No new connections, no further requests; returns when everything has ended or was cut.
    func drain() async {
        isDraining = true
        if let listener = listener.take() {
            loop.deregister(listener)
            Socket.close(listener.descriptor)
        }
        for connection in connections {
            guard let connection, connection.state.isIdle else { continue }
            if connection.outboxBytes == 0 {
                close(connection)
            } else {
                endAfterFlush(connection)
            }
        }
        let streamTimer = loop.schedule(at: .now + configuration.drainStreamGrace) { [self] in endStreams() }
        let cutTimer = loop.schedule(at: .now + configuration.drainTimeout) { [self] in cut() }
        // Looked at within the continuation: every await may let the loop do something else first.
        await withCheckedContinuation { continuation in
            if isEmpty { continuation.resume() } else { drainWaiters.append(continuation) }
        }
        loop.cancel(streamTimer)
        loop.cancel(cutTimer)
    }

    /// Ends everything now.
    func cut() {
        isDraining = true
        for connection in connections {
            guard let connection else { continue }
            connection.exchange?.task?.cancel()
            close(connection)
        }
        for waiter in drainWaiters { waiter.resume() }
        drainWaiters = []
    }

    private var isEmpty: Bool { connectionCount == 0 && taskCount == 0 }

    private func endStreams() {
        for connection in connections { connection?.stream?.writer.finish() }
    }

    func noteProgressOfDrain() {
        guard isDraining, isEmpty, !drainWaiters.isEmpty else { return }
        for waiter in drainWaiters { waiter.resume() }
        drainWaiters = []
    }
}
