// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import Testing

@testable import Runtime

/// A loop that lives for one test.
private func withLoop<Value>(_ body: (EventLoop) async throws -> Value) async throws -> Value {
    let loop = try EventLoop(name: "test")
    defer { loop.shutDown() }
    return try await body(loop)
}

/// Counts bytes of a socket on a loop, as a connection would.
@safe private actor ByteCounter {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    private let descriptor: Int32
    private var registration: Registration?
    private var byteCount = 0
    private var finished: CheckedContinuation<Int, any Error>?

    init(loop: EventLoop, descriptor: Int32) {
        self.loop = loop
        self.descriptor = descriptor
    }

    func count() async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            finished = continuation
            do {
                registration = try loop.register(descriptor, .read) { [weak self] _ in
                    self?.assumeIsolated { $0.readAll() }
                }
            } catch { finished.take()?.resume(throwing: error) }
        }
    }

    private func readAll() {
        loop.preconditionCurrent()
        var buffer = [UInt8](repeating: 0, count: 64)
        while true {
            let got: Int
            do throws(SystemError) {
                got = try Socket.read(descriptor, into: &buffer)
            } catch {
                if error.wouldBlock { return }
                got = 0
            }
            byteCount += got
            guard got == 0 else { continue }
            if let registration { loop.deregister(registration) }
            Socket.close(descriptor)
            finished.take()?.resume(returning: byteCount)
            return
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct EventLoopTests {
    @Test func `tasks, actors and posted bodies run on the loop's thread`() async throws {
        try await withLoop { loop in
            #expect(!loop.isCurrent)
            let inDomain = await LoopDomain(loop).run { loop.isCurrent }
            #expect(inDomain)
            let inBody = await withCheckedContinuation { continuation in
                loop.execute { continuation.resume(returning: loop.isCurrent) }
            }
            #expect(inBody)
        }
    }

    @Test func `an actor on the loop reads a real socket through readiness callbacks`() async throws {
        try await withLoop { loop in
            let listener = try Socket.listen(host: "127.0.0.1", port: 0, sharingPort: false)
            defer { Socket.close(listener) }
            let address = try Socket.localAddress(of: listener)
            let client = try Socket.connect(numericHost: "127.0.0.1", port: address.port)
            let server = try await acceptOne(listener, on: loop)
            let counter = ByteCounter(loop: loop, descriptor: server)
            async let total = counter.count()
            let sent = try sendAll(client, byteCount: 100_000)
            try Socket.shutDown(client, .writing)
            #expect(try await total == sent)
            Socket.close(client)
        }
    }

    @Test func `posted bodies keep their order from each of many threads`() async throws {
        try await withLoop { loop in
            let seen = Recorder<[Int: [Int]]>([:])
            await withTaskGroup(of: Void.self) { group in
                for producer in 0..<8 {
                    group.addTask {
                        for number in 0..<500 {
                            loop.execute { seen.withLock { $0[producer, default: []].append(number) } }
                        }
                        await withCheckedContinuation { done in loop.execute { done.resume() } }
                    }
                }
            }
            let all = seen.withLock { $0 }
            for producer in 0..<8 { #expect(all[producer] == Array(0..<500)) }
        }
    }

    @Test func `timers run in the order of their deadlines and a cancelled one never`() async throws {
        try await withLoop { loop in
            let order = await withCheckedContinuation { (continuation: CheckedContinuation<[Int], Never>) in
                loop.execute {
                    let now = ContinuousClock.now
                    var order: [Int] = []
                    _ = loop.schedule(at: now + .milliseconds(9)) {
                        order.append(3)
                        continuation.resume(returning: order)
                    }
                    _ = loop.schedule(at: now + .milliseconds(3)) { order.append(2) }
                    let cancelled = loop.schedule(at: now + .milliseconds(2)) { order.append(99) }
                    _ = loop.schedule(at: now - .seconds(1)) { order.append(1) }
                    loop.cancel(cancelled)
                    order.append(0)
                }
            }
            #expect(order == [0, 1, 2, 3])
        }
    }

    @Test func `what came while the loop stood still comes before a timer that is due since`() async throws {
        try await withLoop { loop in
            let (held, late) = (try Pipe(), try Pipe())
            let order = Recorder<[String]>([])
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                loop.execute {
                    do {
                        let deadline = ContinuousClock.now + .milliseconds(20)
                        // In the middle of a turn: nothing more is read before the deadline has passed.
                        let first = try loop.register(held.readEnd, .read) { _ in
                            late.signal()
                            while ContinuousClock.now <= deadline {}
                        }
                        let second = try loop.register(late.readEnd, .read) { _ in order.withLock { $0.append("byte") }
                        }
                        _ = loop.schedule(at: deadline) {
                            order.withLock { $0.append("timer") }
                            for registration in [first, second] { loop.deregister(registration) }
                            done.resume()
                        }
                        held.signal()
                    } catch { done.resume(throwing: error) }
                }
            }
            #expect(order.withLock { $0 } == ["byte", "timer"])
        }
    }

    @Test func `end-of-turn work runs once, after what was posted`() async throws {
        try await withLoop { loop in
            let order = await withCheckedContinuation { (continuation: CheckedContinuation<[String], Never>) in
                let order = Recorder<[String]>([])
                loop.execute {
                    loop.atEndOfTurn { order.withLock { $0.append("end") } }
                    loop.execute {
                        let seen = order.withLock { $0 }
                        continuation.resume(returning: seen + ["next turn"])
                    }
                    order.withLock { $0.append("posted") }
                }
            }
            #expect(order == ["posted", "end", "next turn"])
        }
    }

    @Test func `readiness of a closed descriptor is not delivered to the next owner of its number`() async throws {
        try await withLoop { loop in
            let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<[String], Never>) in
                loop.execute {
                    do { try Self.reuseDescriptor(on: loop, continuation) } catch {
                        continuation.resume(returning: ["\(error)"])
                    }
                }
            }
            #expect(outcome == ["first"])
        }
    }

    /// Two readable pipes in one batch; the first handler closes the second pipe and a third takes its number.
    private static func reuseDescriptor(
        on loop: EventLoop, _ continuation: CheckedContinuation<[String], Never>
    ) throws {
        let first = try Pipe()
        let second = try Pipe()
        let record = Recorder<[String]>([])
        var registrations: [Registration] = []
        func close(_ pipe: Pipe, seeing name: String) {
            let isFirst = record.withLock { seen in
                seen.append(seen.isEmpty ? "first" : name)
                return seen.count == 1
            }
            guard isFirst else { return }
            for registration in registrations { loop.deregister(registration) }
            do {
                // Closes the number and gives it to another file in one step: tests beside this one open files too.
                let third = try Pipe()
                guard dup2(third.readEnd, pipe.readEnd) == pipe.readEnd else {
                    throw SystemError(number: errno, call: "dup2")
                }
                _ = try loop.register(pipe.readEnd, .read) { _ in record.withLock { $0.append("stale") } }
                loop.execute { continuation.resume(returning: record.withLock { $0 }) }
            } catch {
                continuation.resume(returning: ["\(error)"])
            }
        }
        registrations.append(try loop.register(first.readEnd, .read) { _ in close(second, seeing: "first") })
        registrations.append(try loop.register(second.readEnd, .read) { _ in close(first, seeing: "second") })
        first.signal()
        second.signal()
    }

    @Test func `shutting down runs what was posted before`() async throws {
        let loop = try EventLoop(name: "test")
        let count = Recorder(0)
        for _ in 0..<100 { loop.execute { count.withLock { $0 += 1 } } }
        loop.shutDown()
        #expect(count.withLock { $0 } == 100)
    }
}

/// A locked value that escaping closures may share.
private final class Recorder<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result { value.withLock { body(&$0) } }
}

private struct Pipe {
    let readEnd: Int32
    let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw SystemError(number: errno, call: "pipe") }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    func signal() {
        let sent = unsafe write(writeEnd, "x", 1)
        #expect(sent == 1)
    }
}

private func acceptOne(_ listener: Int32, on loop: EventLoop) async throws -> Int32 {
    try await withCheckedThrowingContinuation { continuation in
        loop.execute {
            do {
                let state = Recorder<Registration?>(nil)
                let registration = try loop.register(listener, .read) { _ in
                    state.withLock { $0.take() }.map { loop.deregister($0) }
                    continuation.resume(with: Result { try Socket.accept(listener) })
                }
                state.withLock { $0 = registration }
            } catch { continuation.resume(throwing: error) }
        }
    }
}

private func sendAll(_ descriptor: Int32, byteCount: Int) throws -> Int {
    let bytes = [UInt8](repeating: 7, count: 1000)
    var sent = 0
    while sent < byteCount {
        do throws(SystemError) {
            sent += try Socket.send(descriptor, bytes.span)
        } catch {
            guard error.wouldBlock || error.number == ENOTCONN else { throw error }
            var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = unsafe Glibc.poll(&poll, 1, 1000)
        }
    }
    return sent
}
