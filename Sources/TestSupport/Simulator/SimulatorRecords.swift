// SPDX-License-Identifier: Apache-2.0
import JSON
import Synchronization

/// A request as the simulator saw it.
package struct SimulatedRequest: Sendable {
    /// From 1.
    package let number: Int
    /// Of ``SimulatedConnection``.
    package let connectionNumber: Int
    /// As sent.
    package let method: String
    /// As sent, with the query.
    package let path: String
    /// Names in lower case; of a repeated name the last.
    package let fields: [String: String]
    /// As sent.
    package let body: [UInt8]
    /// When it was complete.
    package let arrivedAt: ContinuousClock.Instant

    /// The body as text.
    package var text: String { String(decoding: body, as: UTF8.self) }
    /// The model that it asks.
    package var model: String { call.model }
    /// Whether it asks for pieces.
    package var isStreamed: Bool { call.streams }

    private var call: SimulatedChatCall {
        // What is no JSON asks for nothing.
        do throws(JSONError) { return SimulatedChatCall(try JSONParser.parse(body)) } catch {
            return SimulatedChatCall(.null)
        }
    }
}

/// A connection as the simulator saw it.
package struct SimulatedConnection: Sendable {
    /// Who ended it first.
    package enum Side: String, Sendable { case client, simulator }

    /// From 1.
    package let number: Int
    /// When it was accepted.
    package let openedAt: ContinuousClock.Instant
    /// Requests so far.
    package internal(set) var requestCount = 0
    /// Tokens written so far, of all its streams.
    package internal(set) var sentTokenCount = 0
    /// `nil` while it is open.
    package internal(set) var closedBy: Side?
    /// `nil` while it is open.
    package internal(set) var closedAt: ContinuousClock.Instant?
}

/// What the simulator remembers, for its loops and for tests.
final class SimulatorRecords: Sendable {
    typealias Condition = @Sendable ([SimulatedRequest], [SimulatedConnection]) -> Bool

    private struct Waiter {
        let isMet: Condition
        let go: @Sendable () -> Void
    }

    private struct State {
        var requests: [SimulatedRequest] = []
        var connections: [SimulatedConnection] = []
        var countsByModel: [String: Int] = [:]
        var nextRequest = 1
        var nextConnection = 1
        var waiters: [Waiter] = []
    }

    private let state = Mutex(State())

    var requests: [SimulatedRequest] { state.withLock { $0.requests } }
    var connections: [SimulatedConnection] { state.withLock { $0.connections } }

    func opened() -> Int {
        change { state in
            defer { state.nextConnection += 1 }
            state.connections.append(SimulatedConnection(number: state.nextConnection, openedAt: .now))
            return state.nextConnection
        }
    }

    func closed(_ number: Int, by side: SimulatedConnection.Side) {
        changeConnection(number) { connection in
            guard connection.closedBy == nil else { return }
            connection.closedBy = side
            connection.closedAt = .now
        }
    }

    func sentToken(_ number: Int) {
        changeConnection(number) { $0.sentTokenCount += 1 }
    }

    func arrived(_ head: SimulatorRequestHead, body: [UInt8], on connection: Int) -> SimulatedRequest {
        changeConnection(connection) { $0.requestCount += 1 }
        return change { state in
            let request = SimulatedRequest(
                number: state.nextRequest, connectionNumber: connection, method: head.method, path: head.path,
                fields: head.fields, body: body, arrivedAt: .now)
            state.nextRequest += 1
            state.requests.append(request)
            return request
        }
    }

    /// How many requests with this model string there have been, with this one.
    func count(ofModel model: String) -> Int {
        state.withLock { state in
            state.countsByModel[model, default: 0] += 1
            return state.countsByModel[model] ?? 0
        }
    }

    /// Forgets requests, closed connections and counts.
    func reset() {
        state.withLock { state in
            state.requests = []
            state.connections.removeAll { $0.closedBy != nil }
            state.countsByModel = [:]
        }
    }

    func wait(until isMet: @escaping Condition) async {
        await withCheckedContinuation { continuation in
            let isMetNow = state.withLock { state in
                if isMet(state.requests, state.connections) { return true }
                state.waiters.append(Waiter(isMet: isMet) { continuation.resume() })
                return false
            }
            if isMetNow { continuation.resume() }
        }
    }

    private func changeConnection(_ number: Int, _ body: (inout SimulatedConnection) -> Void) {
        change { state in
            // Called for every token: the numbers rise, so a connection is found without looking at all of them.
            var (low, high) = (0, state.connections.count)
            while low < high {
                let middle = (low + high) / 2
                if state.connections[middle].number < number { low = middle + 1 } else { high = middle }
            }
            guard low < state.connections.count, state.connections[low].number == number else { return }
            body(&state.connections[low])
        }
    }

    private func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        let (value, ready) = state.withLock { state in
            let value = body(&state)
            guard !state.waiters.isEmpty else { return (value, [] as [@Sendable () -> Void]) }
            let ready = state.waiters.filter { $0.isMet(state.requests, state.connections) }.map(\.go)
            if !ready.isEmpty { state.waiters.removeAll { $0.isMet(state.requests, state.connections) } }
            return (value, ready)
        }
        for go in ready { go() }
        return value
    }
}
