// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(1)))
struct BackoffTests {
    @Test(arguments: [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1000), (63, 1000), (-1, 100)])
    func `the ceiling doubles up to the cap`(attempt: Int, milliseconds: Int) {
        let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))
        #expect(backoff.ceiling(attempt: attempt) == .milliseconds(milliseconds))
    }

    @Test func `draws fill the whole range and never leave it`() {
        let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))
        var generator = SeededGenerator(seed: 3)
        let draws = (0..<2000).map { _ in backoff.delay(attempt: 2, using: &generator) }
        #expect(draws.allSatisfy { $0 >= .zero && $0 <= .milliseconds(400) })
        #expect(draws.contains { $0 < .milliseconds(20) })
        #expect(draws.contains { $0 > .milliseconds(380) })
    }
}

@Suite(.timeLimit(.minutes(1)))
struct BoundedChannelTests {
    @Test func `a full channel refuses and keeps what it took`() async {
        let channel = BoundedChannel<Int>(capacity: 2)
        #expect(channel.send(1) == .accepted)
        #expect(channel.send(2) == .accepted)
        #expect(channel.send(3) == .full)
        #expect(await channel.nextBatch() == [1, 2])
        #expect(channel.send(4) == .accepted)
        channel.finish()
        #expect(channel.send(5) == .finished)
        #expect(await channel.nextBatch() == [4])
        #expect(await channel.nextBatch() == [])
    }

    @Test func `many producers, one consumer, every element once and in each producer's order`() async {
        let channel = BoundedChannel<(Int, Int)>(capacity: 100_000)
        let received = await withTaskGroup(of: [(Int, Int)].self) { group in
            group.addTask {
                var all: [(Int, Int)] = []
                while all.count < 4000 { all += await channel.nextBatch() }
                return all
            }
            for producer in 0..<4 {
                group.addTask {
                    for number in 0..<1000 { _ = channel.send((producer, number)) }
                    return []
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        for producer in 0..<4 {
            #expect(received.filter { $0.0 == producer }.map(\.1) == Array(0..<1000))
        }
    }

    @Test func `a cancelled consumer returns with nothing`() async {
        let channel = BoundedChannel<Int>(capacity: 1)
        let batch = await withTaskGroup(of: [Int].self) { group in
            group.addTask { await channel.nextBatch() }
            group.cancelAll()
            return await group.next()
        }
        #expect(batch == [])
    }
}

@Suite(.timeLimit(.minutes(1)))
struct BlockingPoolTests {
    private struct Refused: Error, Equatable {}

    @Test func `results and errors come back`() async throws {
        let pool = BlockingPool(threadCount: 2, queueLimit: 8)
        #expect(try await pool.run { 6 * 7 } == 42)
        await #expect(throws: Refused.self) { try await pool.run { throw Refused() } }
    }

    @Test func `a body nobody waits for runs, unless the line is full`() async throws {
        let pool = BlockingPool(threadCount: 1, queueLimit: 1)
        let gate = try ThreadGate()
        let ran = ShutdownSignal()
        let accepted = [pool.start { gate.wait() }, pool.start { ran.trigger() }, pool.start {}]
        #expect(accepted == [true, true, false])
        gate.signal()
        await ran.wait()
    }

    @Test func `no more run at once than there are threads, and all run`() async throws {
        let pool = BlockingPool(threadCount: 3, queueLimit: 100)
        let gauge = Gauge()
        let gate = try ThreadGate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<30 {
                group.addTask {
                    try await pool.run {
                        gauge.enter()
                        gate.wait()
                        gauge.leave()
                    }
                }
            }
            for _ in 0..<30 { gate.signal() }
            try await group.waitForAll()
        }
        #expect(gauge.most <= 3)
        #expect(gauge.done == 30)
    }

    @Test func `a full line refuses, and a waiting call can be cancelled`() async throws {
        let pool = BlockingPool(threadCount: 1, queueLimit: 1)
        let gate = try ThreadGate()
        let began = ShutdownSignal()
        async let running: Void = pool.run {
            began.trigger()
            gate.wait()
        }
        await began.wait()
        let outcome = await withTaskGroup(of: String.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    do {
                        try await pool.run {}
                        return "ran"
                    } catch is BlockingPool.Refusal { return "refused" } catch { return "cancelled" }
                }
            }
            let first = await group.next()
            group.cancelAll()
            return [first, await group.next()]
        }
        #expect(outcome == ["refused", "cancelled"])
        gate.signal()
        try await running
    }
}

/// Lets blocked threads through, one a permit: a pipe, because its ends are plain numbers.
private struct ThreadGate: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw SystemError(number: errno, call: "pipe") }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    func signal() { #expect(unsafe write(writeEnd, "x", 1) == 1) }

    func wait() {
        var byte: UInt8 = 0
        #expect(unsafe read(readEnd, &byte, 1) == 1)
    }
}

/// How many are inside at once, and how many were.
private final class Gauge: Sendable {
    private let state = Mutex((inside: 0, most: 0, done: 0))
    var most: Int { state.withLock { $0.most } }
    var done: Int { state.withLock { $0.done } }

    func enter() {
        state.withLock {
            $0.inside += 1
            $0.most = max($0.most, $0.inside)
        }
    }

    func leave() {
        state.withLock {
            $0.inside -= 1
            $0.done += 1
        }
    }
}
