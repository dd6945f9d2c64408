// SPDX-License-Identifier: Apache-2.0
package import Runtime
import Synchronization

/// A model provider on a real socket that speaks OpenAI's bytes and misbehaves where it is asked to.
///
/// `POST /v1/chat/completions`, `/v1/embeddings`, `GET /v1/models`; for processes also `GET /control/requests`,
/// `GET /control/connections`, `POST /control/reset`. What it does is chosen by the request: ``SimulatorScenario``.
package final class ProviderSimulator: Sendable {
    /// Where it listens.
    package let port: UInt16
    private let loops: [EventLoop]
    private let ownsLoops: Bool
    private let listeners: [SimulatorListener]
    private let records: SimulatorRecords

    /// A simulator on a loop of its own, for tests.
    package convenience init() throws {
        try self.init(loops: [EventLoop(name: "simulator")], host: "127.0.0.1", port: 0, ownsLoops: true)
    }

    /// A simulator with a listener on each of these loops.
    package convenience init(loops: [EventLoop], host: String, port: UInt16) throws {
        try self.init(loops: loops, host: host, port: port, ownsLoops: false)
    }

    private init(loops: [EventLoop], host: String, port: UInt16, ownsLoops: Bool) throws {
        self.loops = loops
        self.ownsLoops = ownsLoops
        var port = port
        var listeners: [Int32] = []
        for _ in loops {
            let listener = try Socket.listen(host: host, port: port, sharingPort: loops.count > 1)
            port = try Socket.localAddress(of: listener).port
            listeners.append(listener)
        }
        self.port = port
        let records = SimulatorRecords()
        self.records = records
        self.listeners = zip(loops, listeners).map { SimulatorListener($1, loop: $0, records: records) }
        for listener in self.listeners { listener.start() }
    }

    /// `http://127.0.0.1:<port>/v1`: what a provider takes as its base address.
    package var baseURL: String { "http://127.0.0.1:\(port)/v1" }

    /// Every request so far, in order of arrival.
    package var requests: [SimulatedRequest] { records.requests }

    /// Every connection so far, in order of opening.
    package var connections: [SimulatedConnection] { records.connections }

    /// Forgets requests, closed connections, and what `times=` counts.
    package func reset() { records.reset() }

    /// Returns once so many requests have arrived.
    package func requestsArrived(_ count: Int) async {
        await records.wait { requests, _ in requests.count >= count }
    }

    /// Returns once so many connections were ended by the client.
    package func connectionsClosedByClient(_ count: Int = 1) async {
        await records.wait { _, connections in connections.count { $0.closedBy == .client } >= count }
    }

    /// Returns when the simulator itself has closed or reset so many connections since the start or the last reset.
    package func connectionsClosedBySimulator(_ count: Int) async {
        await records.wait { _, connections in connections.count { $0.closedBy == .simulator } >= count }
    }

    /// Returns once so many tokens were written, over all connections.
    package func tokensSent(_ count: Int) async {
        await records.wait { _, connections in connections.reduce(0) { $0 + $1.sentTokenCount } >= count }
    }

    /// Closes the listener and all connections, and ends the loop where it is the simulator's own.
    package func stop() {
        for listener in listeners { listener.stop() }
        guard ownsLoops else { return }
        for loop in loops { loop.shutDown() }
    }
}
