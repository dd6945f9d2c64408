// SPDX-License-Identifier: Apache-2.0
import Runtime
import Synchronization

/// A request's body as it arrives: an asynchronous sequence of byte arrays for one consumer.
///
/// Bounded: while the consumer holds back more than the high watermark, the socket is not read. A client that
/// expects 100 gets it when the body is first asked for, so a handler that refuses early never causes the upload.
package final class RequestBody: Sendable, AsyncSequence {
    /// Arrays as they came from the socket.
    package typealias Element = [UInt8]
    /// Why the body cannot be read to its end.
    package typealias Failure = HTTPServerError

    fileprivate enum End { case open, finished, failed(HTTPServerError) }

    fileprivate struct State {
        var chunks: [[UInt8]] = []
        var bufferedBytes = 0
        var end = End.open
        var isDemanded = false
        var isPaused = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    /// What `Content-Length` promised; `nil` for chunks.
    package let expectedBytes: Int?
    private let state: Mutex<State>
    private let highWatermarkBytes: Int
    /// Called when the consumer first asks and whenever a paused producer may go on; any thread.
    private let onDemand: @Sendable () -> Void

    init(expectedBytes: Int?, highWatermarkBytes: Int, onDemand: @escaping @Sendable () -> Void) {
        self.expectedBytes = expectedBytes
        self.highWatermarkBytes = highWatermarkBytes
        self.onDemand = onDemand
        state = Mutex(State())
    }

    /// A body that is there already: for handlers called without a socket, and for requests that have none.
    package init(_ bytes: [UInt8] = []) {
        expectedBytes = bytes.count
        highWatermarkBytes = .max
        onDemand = {}
        state = Mutex(State(chunks: bytes.isEmpty ? [] : [bytes], bufferedBytes: bytes.count, end: .finished))
    }

    /// The whole body as one array.
    ///
    /// - Parameter maxBytes: a limit of the caller's own, below the route's.
    /// - Returns: everything up to the body's end.
    /// - Throws: `bodyTooLarge` over the limit; what is left is not read, and the connection ends after the answer.
    package func collect(upTo maxBytes: Int = .max) async throws(HTTPServerError) -> [UInt8] {
        if let expectedBytes, expectedBytes > maxBytes { throw HTTPServerError(.bodyTooLarge) }
        var all: [UInt8] = []
        while let chunk = try await next() {
            guard all.count + chunk.count <= maxBytes else { throw HTTPServerError(.bodyTooLarge) }
            if all.isEmpty { all = chunk } else { all += chunk }
        }
        return all
    }

    /// The next bytes, `nil` after the last.
    package func next() async throws(HTTPServerError) -> [UInt8]? {
        while true {
            let (step, isDemand) = state.withLock { $0.take(resumingBelow: highWatermarkBytes / 2) }
            if isDemand { onDemand() }
            switch step {
            case .chunk(let bytes): return bytes
            case .finished: return nil
            case .failed(let error): throw error
            case .wait: break
            }
            if Task.isCancelled { throw HTTPServerError(.cancelled) }
            await withCancellationHandler {
                await withContinuation { continuation in
                    let isReady = state.withLock { state in
                        if state.isReady || Task.isCancelled { return true }
                        state.waiter = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiter.take() }?.resume()
            }
        }
    }

    /// For `for try await`.
    package func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    /// Hands out what ``RequestBody/next()`` does.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let body: RequestBody

        /// The next bytes, `nil` after the last.
        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(HTTPServerError) -> [UInt8]? {
            try await body.next()
        }

        /// The next bytes, `nil` after the last.
        package mutating func next() async throws(HTTPServerError) -> [UInt8]? {
            try await body.next()
        }
    }
}

extension RequestBody.State {
    fileprivate enum Step { case chunk([UInt8]), finished, failed(HTTPServerError), wait }

    fileprivate var isReady: Bool {
        if case .open = end { return !chunks.isEmpty }
        return true
    }

    fileprivate mutating func take(resumingBelow mark: Int) -> (Step, isDemand: Bool) {
        var isDemand = !isDemanded
        isDemanded = true
        if case .failed(let error) = end { return (.failed(error), false) }
        guard !chunks.isEmpty else {
            if case .finished = end { return (.finished, false) }
            return (.wait, isDemand)
        }
        let chunk = chunks.count == 1 ? chunks[0] : Array(chunks.joined())
        chunks = []
        bufferedBytes = 0
        if isPaused {
            isPaused = false
            isDemand = true
        }
        return (.chunk(chunk), isDemand)
    }
}

// The server's side.
extension RequestBody {
    /// Whether the consumer has asked for anything yet.
    var isDemanded: Bool { state.withLock { $0.isDemanded } }

    /// Whether the consumer holds back so much that the producer has to wait.
    var isPaused: Bool { state.withLock { $0.isPaused } }

    /// - Returns: whether more may follow now; if not, `onDemand` says when.
    func append(_ bytes: [UInt8]) -> Bool {
        let (waiter, goesOn) = state.withLock { state in
            guard case .open = state.end else { return (state.waiter.take(), true) }
            state.chunks.append(bytes)
            state.bufferedBytes += bytes.count
            state.isPaused = state.bufferedBytes > highWatermarkBytes
            return (state.waiter.take(), !state.isPaused)
        }
        waiter?.resume()
        return goesOn
    }

    func finish() { end(.finished) }

    func fail(_ error: HTTPServerError) { end(.failed(error)) }

    private func end(_ end: End) {
        state.withLock { state in
            guard case .open = state.end else { return nil as CheckedContinuation<Void, Never>? }
            state.end = end
            return state.waiter.take()
        }?.resume()
    }
}
