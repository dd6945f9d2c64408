// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime

/// One accepted connection of the simulator on its loop: reads requests, runs their scripts one after another.
///
/// Confined to the loop's thread.
final class SimulatorConnection {
    /// Sending waits for the peer beyond this; the script's times then slip and are caught up with.
    private static let outboxLimitBytes = 1 << 20

    let number: Int
    private let descriptor: Int32
    private let loop: EventLoop
    private let records: SimulatorRecords
    private let router: SimulatorRouter
    private let onClose: () -> Void

    private var registration: Registration?
    private var timer: TimerID?
    private var received: [UInt8] = []
    private var outbox: [UInt8] = []
    private var script: SimulatorScript?
    private var pendingStep: SimulatorScript.Step?
    private var scriptStart = ContinuousClock.now
    private var isLastRequest = false
    private var isBlocked = false
    private var isClosed = false

    init(_ descriptor: Int32, loop: EventLoop, records: SimulatorRecords, onClose: @escaping () -> Void) {
        self.descriptor = descriptor
        self.loop = loop
        self.records = records
        self.onClose = onClose
        router = SimulatorRouter(records: records)
        number = records.opened()
    }

    func begin() {
        do throws(SystemError) {
            try Socket.setNoDelay(descriptor)
            registration = try loop.register(descriptor, .read) { [weak self] readiness in self?.ready(readiness) }
        } catch { close(by: .client) }
    }

    func close(by side: SimulatedConnection.Side) {
        guard !isClosed else { return }
        isClosed = true
        if let registration { loop.deregister(registration) }
        if let timer { loop.cancel(timer) }
        Socket.close(descriptor)
        records.closed(number, by: side)
        onClose()
    }

    // MARK: Reading

    private func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.readable, .hangUp, .failed]) { read() }
        if !isClosed, readiness.contains(.writable) { run() }
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !isClosed {
            do throws(SystemError) {
                let count = try Socket.read(descriptor, into: &buffer)
                guard count > 0 else { return close(by: .client) }
                received += buffer[..<count]
            } catch {
                if error.wouldBlock { break }
                return close(by: .client)
            }
        }
        startNextRequest()
    }

    private func startNextRequest() {
        guard script == nil, let headEnd = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return }
        let head = SimulatorRequestHead(received[..<headEnd])
        let end = headEnd + head.contentLength
        guard received.count >= end else { return }
        let request = records.arrived(head, body: Array(received[headEnd..<end]), on: number)
        received.removeFirst(end)
        isLastRequest = head.isLast
        script = router.script(for: request, stamp: Self.stamp())
        scriptStart = request.arrivedAt
        run()
    }

    // MARK: Writing

    /// Does everything that is due, and sees to it that it goes on when the next thing is.
    private func run() {
        flush()
        while !isClosed, script != nil {
            if outbox.count >= Self.outboxLimitBytes {
                flush()
                // Blocked then: goes on when the peer has taken some. What was taken at once says nothing later.
                if isClosed || outbox.count >= Self.outboxLimitBytes { return }
            }
            guard let step = pendingStep ?? script?.next() else { break }
            let due = scriptStart + step.offset
            guard due <= .now else {
                pendingStep = step
                flush()
                return schedule(at: due)
            }
            pendingStep = nil
            perform(step.action)
        }
        flush()
    }

    private func perform(_ action: SimulatorScript.Action) {
        switch action {
        case .send(let bytes): outbox += bytes
        case .sendToken(let token):
            outbox += script?.bytes(ofToken: token, stamp: Self.stamp()) ?? []
            records.sentToken(number)
        case .finish:
            script = nil
            flush()
            if isLastRequest { return close(by: .simulator) }
            startNextRequest()
        case .stall:
            flush()
            pendingStep = SimulatorScript.Step(offset: .seconds(86_400), action: .close)
        case .close:
            flush()
            close(by: .simulator)
        case .reset:
            flush()
            do throws(SystemError) { try Socket.setResetOnClose(descriptor) } catch { return close(by: .client) }
            close(by: .simulator)
        }
    }

    private func schedule(at instant: ContinuousClock.Instant) {
        if isClosed { return }
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(at: instant) { [weak self] in
            self?.timer = nil
            self?.run()
        }
    }

    private func flush() {
        guard !isClosed, let registration else { return }
        var sent = 0
        let wasBlocked = isBlocked
        isBlocked = false
        do {
            while sent < outbox.count && !isBlocked {
                do throws(SystemError) {
                    sent += try Socket.send(descriptor, outbox.span.extracting(sent..<outbox.count))
                } catch {
                    guard error.wouldBlock else { throw error }
                    isBlocked = true
                }
            }
            if sent > 0 { outbox.removeFirst(sent) }
            if isBlocked != wasBlocked { try loop.update(registration, isBlocked ? [.read, .write] : .read) }
        } catch { close(by: .client) }
    }

    private static func stamp() -> SimulatorStamp {
        SimulatorStamp(
            monotonicMicroseconds: microseconds(CLOCK_MONOTONIC), realTimeMicroseconds: microseconds(CLOCK_REALTIME))
    }

    private static func microseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
