// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// One open event stream, written from any thread; there is no task behind it.
///
/// Bytes are collected until the connection's loop takes them, one chunk and one system call a turn, in the order of
/// the calls. The owner keeps it bounded: look at ``bufferedBytes``, stop, and go on from ``onDrained(below:_:)``; a
/// stream that exceeds the server's hard limit nevertheless is cut.
package final class EventStreamWriter: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var outboxBytes = 0
        var isPosted = false
        var isFinished = false
        var hasOverflown = false
        var isClosed = false
        var onClose: (@Sendable () -> Void)?
        var onDrained: (@Sendable () -> Void)?
        var drainMark = 0

        var bufferedBytes: Int { pending.count + outboxBytes }
    }

    private let id: ConnectionID
    private let server: ServerLoop
    private let maxBufferedBytes: Int
    private let state = Mutex(State())

    init(id: ConnectionID, server: ServerLoop, maxBufferedBytes: Int) {
        self.id = id
        self.server = server
        self.maxBufferedBytes = maxBufferedBytes
    }

    /// Bytes that were accepted and are not yet in the kernel.
    package var bufferedBytes: Int { state.withLock { $0.bufferedBytes } }

    /// Whether the stream is over: finished, cut or left by the client.
    package var isClosed: Bool { state.withLock { $0.isClosed || $0.isFinished } }

    /// Sends encoded events. Whole events only: a heartbeat may come between two calls.
    ///
    /// Cost: a short lock; an array sent while nothing is pending is shared, not copied.
    /// - Returns: false when the stream is over and the bytes are dropped.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        let (isAccepted, needsPost) = state.withLock { state in
            guard !state.isClosed, !state.isFinished, !state.hasOverflown else { return (false, false) }
            if state.bufferedBytes > 0, state.bufferedBytes + bytes.count > maxBufferedBytes {
                // Posted again: a blocked connection has seen the first post and waits for its client.
                state.hasOverflown = true
                state.pending = []
                return (false, true)
            } else if state.pending.isEmpty {
                state.pending = bytes
            } else {
                state.pending += bytes
            }
            defer { state.isPosted = true }
            return (true, !state.isPosted)
        }
        if needsPost { server.post(id) }
        return isAccepted
    }

    /// Ends the stream in order after what was sent before.
    package func finish() {
        let needsPost = state.withLock { state in
            guard !state.isClosed, !state.isFinished else { return false }
            state.isFinished = true
            defer { state.isPosted = true }
            return !state.isPosted
        }
        if needsPost { server.post(id) }
    }

    /// Runs a body once when the stream is over, for whatever reason, on the loop's thread; at once when it is over
    /// already. Replaces an earlier body.
    package func onClose(_ body: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.onClose = body }
            return state.isClosed
        }
        if isClosed { body() }
    }

    /// Runs a body once when fewer bytes than the mark are held back, on the loop's thread; at once when that is so
    /// now. Replaces an earlier body. Does not run when the stream ends before.
    package func onDrained(below markBytes: Int, _ body: @escaping @Sendable () -> Void) {
        let isDrained = state.withLock { state in
            if state.isClosed { return false }
            if state.bufferedBytes < markBytes { return true }
            state.drainMark = markBytes
            state.onDrained = body
            return false
        }
        if isDrained { body() }
    }
}

// The loop's side.
extension EventStreamWriter {
    /// What the loop found.
    struct Taken {
        var bytes: [UInt8]
        var isFinished: Bool
    }

    /// Too much was held back: the stream is to be cut.
    var hasOverflown: Bool { state.withLock { $0.hasOverflown } }

    /// Takes everything that was sent. The bytes count as held back until ``wrote(outboxBytes:)``.
    func take() -> Taken {
        state.withLock { state in
            state.isPosted = false
            var bytes: [UInt8] = []
            swap(&bytes, &state.pending)
            state.outboxBytes += bytes.count
            return Taken(bytes: bytes, isFinished: state.isFinished)
        }
    }

    /// The connection has this much left.
    func wrote(outboxBytes: Int) {
        state.withLock { state -> (@Sendable () -> Void)? in
            state.outboxBytes = outboxBytes
            guard state.onDrained != nil, state.bufferedBytes < state.drainMark else { return nil }
            return state.onDrained.take()
        }?()
    }

    /// The stream is over.
    func close() {
        state.withLock { state -> (@Sendable () -> Void)? in
            state.isClosed = true
            state.pending = []
            state.outboxBytes = 0
            state.onDrained = nil
            return state.onClose.take()
        }?()
    }
}
