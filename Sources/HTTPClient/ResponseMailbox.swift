// SPDX-License-Identifier: Apache-2.0
import Runtime
import Synchronization

/// Hands a response from the loop to the one task that reads it, wherever that runs; no hop when something waits.
final class ResponseMailbox: Sendable {
    private struct State {
        var buffer: ResponseBuffer
        var headWaiter: CheckedContinuation<Void, Never>?
        var bodyWaiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    private let resumeTransfer: @Sendable () -> Void

    /// `resumeTransfer` is called by the reading task when it has emptied a buffer that had held the peer back.
    init(highWaterBytes: Int, resumeTransfer: @escaping @Sendable () -> Void) {
        state = Mutex(State(buffer: ResponseBuffer(highWaterBytes: highWaterBytes)))
        self.resumeTransfer = resumeTransfer
    }

    var isEnded: Bool { state.withLock { $0.buffer.isEnded } }

    // MARK: From the loop

    func receiveHead(_ head: ResponseHead) {
        state.withLock { state in
            state.buffer.receiveHead(head)
            return state.headWaiter.take()
        }?.resume()
    }

    /// - Returns: false to hold the peer back.
    func receive(_ chunk: Span<UInt8>) -> Bool {
        let (taken, waiter) = state.withLock { state in
            let taken = state.buffer.receive(chunk)
            return (taken, taken ? state.bodyWaiter.take() : nil)
        }
        waiter?.resume()
        return taken
    }

    func end(_ outcome: Result<Void, HTTPClientError>) {
        wakeAll { $0.end(outcome) }
    }

    // MARK: From the reading task

    func abandon(_ error: HTTPClientError) {
        wakeAll { $0.abandon(error) }
    }

    func head() async throws(HTTPClientError) -> ResponseHead {
        while true {
            if let result = state.withLock({ $0.buffer.takeHead() }) { return try result.get() }
            await withContinuation { continuation in
                let isHere = state.withLock { state in
                    if state.buffer.takeHead() != nil { return true }
                    state.headWaiter = continuation
                    return false
                }
                if isHere { continuation.resume() }
            }
        }
    }

    /// Everything that came since the last call, at least a byte; `nil` at the end.
    func next(isolation: isolated (any Actor)?) async throws(HTTPClientError) -> [UInt8]? {
        while true {
            switch state.withLock({ $0.buffer.take() }) {
            case .bytes(let bytes, let resumesTransfer):
                if resumesTransfer { resumeTransfer() }
                return bytes
            case .end: return nil
            case .failure(let error): throw error
            case .nothingYet: await somethingCame(isolation: isolation)
            }
        }
    }

    private func somethingCame(isolation: isolated (any Actor)?) async {
        await withContinuation(isolation: isolation) { continuation in
            let isHere = state.withLock { state in
                precondition(state.bodyWaiter == nil, "a response's body has one reader")
                if state.buffer.hasSomething { return true }
                state.bodyWaiter = continuation
                return false
            }
            if isHere { continuation.resume() }
        }
    }

    private func wakeAll(_ change: (inout ResponseBuffer) -> Void) {
        let (headWaiter, bodyWaiter) = state.withLock { state in
            change(&state.buffer)
            return (state.headWaiter.take(), state.bodyWaiter.take())
        }
        headWaiter?.resume()
        bodyWaiter?.resume()
    }
}
