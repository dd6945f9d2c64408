// SPDX-License-Identifier: Apache-2.0
import Runtime

extension ServerLoop {
    /// One timer for all connections: a pass over them costs less than arming and disarming a timer a request.
    func scheduleSweep() {
        guard !isSweepScheduled, connectionCount > 0 else { return }
        isSweepScheduled = true
        _ = loop.schedule(at: .now + sweepInterval) { [self] in sweep() }
    }

    /// A quarter of the shortest time that matters, between 5 and 250 ms: how late a deadline may be noticed.
    private var sweepInterval: Duration {
        let shortest =
            [
                configuration.headTimeout, configuration.bodyTimeout, configuration.idleTimeout,
                configuration.writeStallTimeout, configuration.lingerTimeout, shortestHeartbeat,
            ].min() ?? .seconds(1)
        return min(max(shortest / 4, .milliseconds(5)), .milliseconds(250))
    }

    private func sweep() {
        isSweepScheduled = false
        let now = ContinuousClock.now
        for index in connections.indices {
            guard let connection = connections[index] else { continue }
            check(connection, now)
        }
        scheduleSweep()
    }

    private func check(_ connection: Connection, _ now: ContinuousClock.Instant) {
        if let since = connection.stalledSince, since + configuration.writeStallTimeout <= now {
            return close(connection)
        }
        switch connection.state.deadlinePassed(now) {
        case .none: break
        case .close: return close(connection)
        case .refuse(let refusal): return refuse(connection, refusal, HTTPServerError(.bodyTimedOut))
        }
        // Nobody reports writability of a connection whose client has shut its side.
        if connection.registration == nil, connection.interest.contains(.write) { flush(connection) }
        if !connection.isClosed { beat(connection, now) }
    }
}
