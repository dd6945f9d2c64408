// SPDX-License-Identifier: Apache-2.0
import Synchronization
import TestSupport
import Testing

@testable import Persistence

@Suite(.timeLimit(.minutes(1)))
struct BriefCacheTests {
    private let start = ContinuousClock.now
    private let elapsed = Recorder(Duration.zero)
    private let reads = Recorder(0)

    private func cache() -> BriefCache<Int> { BriefCache { start + elapsed.withLock { $0 } } }

    private func read() -> Int {
        reads.withLock { count in
            count += 1
            return count
        }
    }

    @Test func `an answer is kept for a second and read anew after it`() async throws {
        let cache = cache()
        var seen: [Int] = []
        for milliseconds in [0, 1, 999, 1000, 1500, 1999, 2000] {
            elapsed.withLock { $0 = .milliseconds(milliseconds) }
            seen.append(try await cache.value { read() })
        }
        #expect(seen == [1, 1, 1, 2, 2, 2, 3])
    }

    @Test func `what is forgotten is read anew, also when its reading was under way`() async throws {
        let cache = cache()
        #expect(try await cache.value { read() } == 1)
        cache.forget()
        #expect(try await cache.value { read() } == 2)
        cache.forget()
        let answer = try await cache.value {
            cache.forget()
            return read()
        }
        #expect(answer == 3)
        #expect(try await cache.value { read() } == 4)
        #expect(try await cache.value { read() } == 4)
    }

    @Test func `many callers at once read once`() async throws {
        let cache = cache()
        let (gate, begun) = (Gate(), Gate())
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await cache.value {
                    begun.open()
                    await gate.wait()
                    return read()
                }
            }
            await begun.wait()
            for _ in 0..<20 { group.addTask { try await cache.value { read() } } }
            await cache.waiting(20)
            gate.open()
            for try await value in group { #expect(value == 1) }
        }
        #expect(reads.withLock { $0 } == 1)
    }

    @Test func `an error reaches those who wait and is not kept`() async throws {
        let cache = cache()
        let (gate, begun) = (Gate(), Gate())
        try await withThrowingTaskGroup(of: PersistenceError.Code?.self) { group in
            group.addTask {
                try await code {
                    _ = try await cache.value { () async throws(PersistenceError) in
                        begun.open()
                        await gate.wait()
                        throw PersistenceError(.unavailable)
                    }
                }
            }
            await begun.wait()
            group.addTask { try await code { _ = try await cache.value { read() } } }
            await cache.waiting(1)
            gate.open()
            for try await code in group { #expect(code == .unavailable) }
        }
        #expect(try await cache.value { read() } == 1)
    }
}

extension BriefCache {
    fileprivate func waiting(_ count: Int) async {
        while waiterCount < count { await Task.yield() }
    }
}
