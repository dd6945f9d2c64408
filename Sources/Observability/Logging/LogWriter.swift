// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The queue and the thread behind `StandardErrorSink`. The thread keeps this object alive, not the sink, so
/// that releasing the sink can stop the thread.
final class LogWriter: Sendable {
    private struct State {
        var lines: [[UInt8]] = []
        var bytes = 0
        var unreportedDrops = 0
        var flushers: [WakeUp] = []
        var isIdle = true
        var isStopped = false
        var hasThread = false
    }

    private struct Batch {
        var lines: [[UInt8]]
        var drops: Int
        var flushers: [WakeUp]
        var isLast: Bool
    }

    private let descriptor: Int32
    private let maximumLines: Int
    private let maximumBytes: Int
    private let dropped: Counter?
    private let droppedCount = Atomic<Int>(0)
    private let state = Mutex(State())
    private let work = WakeUp()

    init(descriptor: Int32, maximumLines: Int, maximumBytes: Int, dropped: Counter?) {
        self.descriptor = descriptor
        self.maximumLines = maximumLines
        self.maximumBytes = maximumBytes
        self.dropped = dropped
    }

    var droppedLines: Int { droppedCount.load(ordering: .relaxed) }

    /// Starts the thread with all signals blocked: signals belong to the threads that expect them, and a closed
    /// pipe must give EPIPE, not SIGPIPE.
    func start() {
        guard work.isUsable else { return }
        var all = sigset_t()
        var previous = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
        state.withLock { $0.hasThread = true }
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(self)
        let failure = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<LogWriter>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard failure == 0 else {
            unsafe context.release()
            state.withLock { $0.hasThread = false }
            return
        }
        pthread_detach(thread)
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        work.signal()
    }

    func enqueue(_ line: [UInt8]) {
        enum Outcome { case queued, wake, full, direct }
        let outcome = state.withLock { state -> Outcome in
            guard state.hasThread else { return .direct }
            guard state.lines.count < maximumLines, state.bytes + line.count <= maximumBytes else {
                state.unreportedDrops += 1
                return .full
            }
            state.lines.append(line)
            state.bytes += line.count
            defer { state.isIdle = false }
            return state.isIdle ? .wake : .queued
        }
        switch outcome {
        case .queued: break
        case .wake: work.signal()
        case .full: countDrop()
        case .direct: writeOut(line)
        }
    }

    func flush(timeout: Duration) -> Bool {
        let done = WakeUp()
        let isWaiting = state.withLock { state -> Bool in
            guard state.hasThread, done.isUsable else { return false }
            state.flushers.append(done)
            return true
        }
        guard isWaiting else { return true }
        work.signal()
        return done.wait(timeout: timeout)
    }

    private func run() {
        while true {
            let batch = takeBatch()
            for line in batch.lines { writeOut(line) }
            if batch.drops > 0 { writeOut(Self.dropNotice(batch.drops)) }
            for flusher in batch.flushers { flusher.signal() }
            if batch.isLast { return }
            if batch.lines.isEmpty && batch.flushers.isEmpty { work.wait() }
        }
    }

    /// Takes everything queued. An empty answer marks the writer idle: the next line will signal.
    private func takeBatch() -> Batch {
        state.withLock { state in
            let batch = Batch(
                lines: state.lines, drops: state.unreportedDrops, flushers: state.flushers,
                isLast: state.isStopped && state.lines.isEmpty)
            state.isIdle = state.lines.isEmpty
            state.lines = []
            state.flushers = []
            state.bytes = 0
            state.unreportedDrops = 0
            return batch
        }
    }

    /// One `write` for the line; only a descriptor that takes part of it needs more. A non-blocking descriptor is
    /// waited for, so that a line is not torn.
    private func writeOut(_ line: [UInt8]) {
        var rest = line[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&entry, 1, -1)
            default: return countDrop()
            }
        }
    }

    private func countDrop() {
        droppedCount.wrappingAdd(1, ordering: .relaxed)
        dropped?.increment()
    }

    private static func dropNotice(_ count: Int) -> [UInt8] {
        var line = LogLine(time: .now(), level: .error, message: "log lines dropped, the queue was full")
        line.append(.logDroppedLines, LogValue(count))
        line.end()
        return line.bytes
    }
}
