// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Runtime

struct TimerQueueTests {
    private let start = ContinuousClock.now

    @Test func `bodies come out by deadline, equal ones in order of insertion`() {
        var queue = TimerQueue<Int>()
        for (body, milliseconds) in [5, 3, 9, 3, 1, 5].enumerated() {
            _ = queue.insert(body, at: start + .milliseconds(milliseconds))
        }
        var order: [Int] = []
        while let body = queue.popDue(start + .milliseconds(100)) { order.append(body) }
        #expect(order == [4, 1, 3, 0, 5, 2])
        #expect(queue.count == 0)
    }

    @Test func `nothing is due before its deadline`() {
        var queue = TimerQueue<Int>()
        _ = queue.insert(1, at: start + .milliseconds(5))
        #expect(queue.popDue(start + .milliseconds(4)) == nil)
        #expect(queue.popDue(start + .milliseconds(5)) == 1)
    }

    @Test func `a timer re-armed a hundred thousand times leaves one entry`() {
        var queue = TimerQueue<Int>()
        var timer = queue.insert(0, at: start)
        for round in 1...100_000 {
            queue.remove(timer)
            timer = queue.insert(round, at: start + .microseconds(round))
        }
        #expect(queue.count == 1)
        #expect(queue.popDue(start + .seconds(1)) == 100_000)
        #expect(queue.popDue(start + .seconds(1)) == nil)
    }

    @Test(arguments: [UInt64(1), 7, 4242])
    func `a random schedule of insertions and removals pops in order`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var queue = TimerQueue<Int>()
        var live: [Int: (TimerID, Int)] = [:]
        for body in 0..<3000 {
            let deadline = Int.random(in: 0..<1000, using: &generator)
            live[body] = (queue.insert(body, at: start + .milliseconds(deadline)), deadline)
            if Int.random(in: 0..<3, using: &generator) == 0, let victim = live.keys.min() {
                if let (timer, _) = live.removeValue(forKey: victim) { queue.remove(timer) }
            }
        }
        var popped: [Int] = []
        while let body = queue.popDue(start + .seconds(2)) { popped.append(body) }
        let expected = live.sorted { ($0.value.1, $0.key) < ($1.value.1, $1.key) }.map(\.key)
        #expect(popped == expected)
    }
}

/// splitmix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
