// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime

/// Many event streams on one loop, read without tasks, frames or JSON: what makes the load shares the machine with
/// what is measured, and must leave it to that.
actor StreamClient {
    /// A token as it came.
    struct Sample: Sendable {
        let sentMicroseconds: Int64
        let delayMicroseconds: Int32
    }

    /// How far streams are to be before a wait ends.
    enum Milestone: Sendable {
        /// Answered with 200.
        case open
        /// Over, for whatever reason.
        case ended
    }

    /// What became of all streams.
    struct Outcome: Sendable {
        var samples: [Sample] = []
        /// From the time a request was due to its first token.
        var firstTokenMilliseconds: [Double] = []
        var lostTokenCount = 0
        var misplacedTokenCount = 0
        /// Streams that were asked for.
        var count = 0
        var openCount = 0
        var endedCount = 0
        /// Of streams that wait for nothing else.
        var heartbeatCount = 0
        /// Streams that should have brought tokens and did not bring them all and a proper end.
        var brokenCount = 0
        /// What the first few of them said last.
        var complaints: [String] = []
    }

    private struct Stream {
        let descriptor: Int32
        let due: ContinuousClock.Instant
        let expectedTokenCount: Int
        var request: ArraySlice<UInt8>
        var registration: Registration?
        var scanner = TokenScanner()
        var firstTokenMilliseconds: Double?
        var isOpen = false
        var isEnded = false
        var heartbeatCount = 0
        /// The last bytes that held no token, or came after the last one.
        var tail: [UInt8] = []

        var isWhole: Bool {
            scanner.count == expectedTokenCount && scanner.misplacedCount == 0
                && tail.firstRange(of: StreamClient.lastEvent) != nil
        }
    }

    private static let lastEvent = Array("event: complete\n".utf8)
    private static let goodHead = Array("HTTP/1.1 200 ".utf8)
    /// A chunk with a comment and a blank line.
    private static let heartbeat = Array("8\r\n: ping\n\n\r\n".utf8)
    private static let tailBytes = 1500

    private nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let address: SocketAddress
    private var streams: [Stream] = []
    private var samples: [Sample] = []
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private var (askedCount, openCount, endedCount) = (0, 0, 0)
    private var waiter: (milestone: Milestone, continuation: CheckedContinuation<Void, Never>)?

    init(_ address: SocketAddress, on loop: EventLoop) {
        self.address = address
        self.loop = loop
    }

    /// Sends a request at its time, whatever became of those before it.
    func open(_ request: [UInt8], expectingTokens count: Int, at due: ContinuousClock.Instant) {
        askedCount += 1
        _ = loop.schedule(at: due) { [self] in assumeIsolated { $0.connect(request, count, due) } }
    }

    /// Returns when all streams that were asked for are so far, or the time is over.
    func waitForAll(_ milestone: Milestone, until deadline: ContinuousClock.Instant) async {
        if reached(milestone) >= askedCount { return }
        let timer = loop.schedule(at: deadline) { [self] in
            assumeIsolated { $0.waiter.take()?.continuation.resume() }
        }
        await withCheckedContinuation { waiter = (milestone, $0) }
        loop.cancel(timer)
    }

    /// Heartbeats that came so far to streams that wait for nothing else.
    var heartbeatCount: Int { streams.reduce(0) { $0 + $1.heartbeatCount } }

    /// Everything so far; streams that have not ended lack what has not come.
    func outcome() -> Outcome {
        var outcome = Outcome(samples: samples, count: askedCount, openCount: openCount, endedCount: endedCount)
        for stream in streams {
            outcome.lostTokenCount += max(0, stream.expectedTokenCount - stream.scanner.count)
            outcome.misplacedTokenCount += stream.scanner.misplacedCount
            outcome.heartbeatCount += stream.heartbeatCount
            if let first = stream.firstTokenMilliseconds { outcome.firstTokenMilliseconds.append(first) }
            guard stream.expectedTokenCount > 0, !stream.isWhole else { continue }
            outcome.brokenCount += 1
            guard outcome.complaints.count < 3 else { continue }
            let tokens = "\(stream.scanner.count) of \(stream.expectedTokenCount) tokens"
            outcome.complaints.append(
                "\(tokens), ended \(stream.isEnded): "
                    + String(decoding: stream.tail.suffix(600), as: UTF8.self))
        }
        return outcome
    }

    /// Resets all connections, so that they leave no port behind that waits.
    func closeAll() {
        for index in streams.indices where !streams[index].isEnded {
            do throws(SystemError) { try Socket.setResetOnClose(streams[index].descriptor) } catch { continue }
        }
        for index in streams.indices { end(index) }
    }

    /// Forgets all streams and samples; they are closed.
    func reset() {
        closeAll()
        (streams, samples) = ([], [])
        (askedCount, openCount, endedCount) = (0, 0, 0)
    }

    // MARK: On the loop

    private func connect(_ request: [UInt8], _ expected: Int, _ due: ContinuousClock.Instant) {
        let index = streams.count
        do throws(SystemError) {
            let descriptor = try Socket.connect(numericHost: address.host, port: address.port)
            streams.append(
                Stream(descriptor: descriptor, due: due, expectedTokenCount: expected, request: request[...]))
            streams[index].registration = try loop.register(descriptor, .write) { [weak self] readiness in
                self?.assumeIsolated { $0.ready(index, readiness) }
            }
        } catch {
            if index < streams.count { return fail(index, error) }
            streams.append(Stream(descriptor: -1, due: due, expectedTokenCount: expected, request: []))
            fail(index, error)
        }
    }

    private func ready(_ index: Int, _ readiness: Readiness) {
        guard !streams[index].isEnded else { return }
        do throws(SystemError) {
            if readiness.contains(.writable), !streams[index].request.isEmpty { try send(index) }
            guard !readiness.isDisjoint(with: [.readable, .hangUp, .failed]) else { return }
            let count = try Socket.read(streams[index].descriptor, into: &buffer)
            if count == 0 { return end(index) }
            take(count, index)
        } catch {
            if !error.wouldBlock { fail(index, error) }
        }
    }

    private func send(_ index: Int) throws(SystemError) {
        let bytes = Array(streams[index].request)
        let sent = try Socket.send(streams[index].descriptor, bytes.span)
        streams[index].request = streams[index].request.dropFirst(sent)
        guard streams[index].request.isEmpty, let registration = streams[index].registration else { return }
        try loop.update(registration, .read)
    }

    private func take(_ count: Int, _ index: Int) {
        let now = MonotonicClock.microseconds
        let before = streams[index].scanner.count
        var scanner = streams[index].scanner
        scanner.scan(buffer, count: count) { sent in
            samples.append(Sample(sentMicroseconds: sent, delayMicroseconds: Int32(clamping: now - sent)))
        }
        streams[index].scanner = scanner
        if before == 0, scanner.count > 0 {
            streams[index].firstTokenMilliseconds = streams[index].due.elapsed.milliseconds
        }
        if streams[index].isOpen && streams[index].expectedTokenCount == 0 {
            if buffer.starts(with: Self.heartbeat) { streams[index].heartbeatCount += 1 }
            return
        }
        guard scanner.count == before || scanner.count >= streams[index].expectedTokenCount else { return }
        streams[index].tail += buffer[..<count]
        if !streams[index].isOpen, streams[index].tail.starts(with: Self.goodHead) {
            streams[index].isOpen = true
            openCount += 1
            wake()
        }
        if streams[index].tail.count > 2 * Self.tailBytes {
            streams[index].tail.removeFirst(streams[index].tail.count - Self.tailBytes)
        }
    }

    private func fail(_ index: Int, _ error: SystemError) {
        streams[index].tail += Array("\(error)".utf8)
        end(index)
    }

    private func end(_ index: Int) {
        guard !streams[index].isEnded else { return }
        streams[index].isEnded = true
        if let registration = streams[index].registration.take() { loop.deregister(registration) }
        if streams[index].descriptor >= 0 { Socket.close(streams[index].descriptor) }
        endedCount += 1
        wake()
    }

    private func reached(_ milestone: Milestone) -> Int { milestone == .open ? openCount : endedCount }

    private func wake() {
        guard let waiter, reached(waiter.milestone) >= askedCount else { return }
        self.waiter = nil
        waiter.continuation.resume()
    }
}
