// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

/// What every queue promises of gates and of paused kinds.
@Suite(.timeLimit(.minutes(1)))
struct JobQueueConformanceGateTests {
    @Test(arguments: QueueImplementation.allCases)
    func `a gate is claimed as far as it is allowed, over all lanes, best lane first`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            var gated: [JobID] = []
            for lane in Lane.allCases {
                for _ in 0..<2 { gated.append(try await test.enqueue(lane, gate: 7)) }
            }
            #expect(try await test.claim().isEmpty)
            #expect(try await test.claim(gates: [GateAllowance(gate: 8, atMost: 9)]).isEmpty)
            #expect(try await test.claim(gates: [GateAllowance(gate: 7, atMost: 0)]).isEmpty)
            let first = try await test.claim(gates: [GateAllowance(gate: 7, atMost: 3)])
            #expect(first.map(\.lease.job) == Array(gated[..<3]) && first.allSatisfy { $0.gate == 7 })
            let second = try await test.claim(4, background: 2, gates: [GateAllowance(gate: 7, atMost: 9)])
            #expect(second.map(\.lease.job) == Array(gated[3..<5]))
            #expect(try await test.claim(1, gates: [GateAllowance(gate: 7, atMost: 9)]).map(\.lease.job) == [gated[5]])
            #expect(try await test.claim(gates: [GateAllowance(gate: 7, atMost: 9)]).count == 2)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a closed gate holds up nobody and gates of a lane follow each other by their first job`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            let closed = try await test.enqueue(gate: 1)
            let second = try await test.enqueue(gate: 2)
            let open = try await test.enqueue()
            let third = try await test.enqueue(gate: 3)
            let allowed = [GateAllowance(gate: 3, atMost: 5), GateAllowance(gate: 2, atMost: 5)]
            #expect(try await test.claim(1, gates: allowed).map(\.lease.job) == [second])
            #expect(try await test.claim(1, gates: allowed).map(\.lease.job) == [open])
            #expect(try await test.claim(gates: allowed).map(\.lease.job) == [third])
            #expect(try await test.state(closed) == .ready)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a job keeps its gate wherever it goes`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let gates = [GateAllowance(gate: 5, atMost: 9)]
            let key = SerialKey(high: 9, low: 9)
            let late = try await test.enqueue(gate: 5, runAt: QueueUnderTest.far)
            let head = try await test.enqueue(gate: 5, key: key)
            let follower = try await test.enqueue(gate: 5, key: key)
            try await test.makeDue(late)
            _ = try await test.queue.moveDue()
            #expect(try await test.claim().isEmpty)
            let first = try await test.claim(gates: gates)
            #expect(Set(first.map(\.lease.job)) == [late, head])
            for job in first where job.lease.job == head {
                _ = try await test.settle(job, .handedOver(hadOutput: false))
            }
            _ = try await test.queue.rescue(test.worker)
            #expect(try await test.claim().isEmpty)
            let second = try await test.claim(gates: gates)
            #expect(Set(second.map(\.lease.job)) == [late, head])
            for job in second { _ = try await test.settle(job) }
            #expect(try await test.claim().isEmpty)
            let last = try await test.claim(gates: gates)
            #expect(last.map(\.lease.job) == [follower])
            _ = try await test.queue.putBackUnknown(last[0].lease, worker: test.worker)
            #expect(try await test.claim().isEmpty)
            #expect(try await test.claim(gates: gates).map(\.lease.job) == [follower])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a paused kind is not claimed until it is resumed and the others go on`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            let before = try await test.enqueue(kind: .title)
            let running = try await test.claimOne()
            let retrying = try await test.enqueue(kind: .title)
            try await test.queue.pause(.title)
            try await test.queue.pause(.title)
            let other = try await test.enqueue()
            let during = try await test.enqueue(kind: .title, key: SerialKey(high: 1, low: 2))
            let follower = try await test.enqueue(kind: .title, key: SerialKey(high: 1, low: 2))
            #expect(try await test.claim(2).map(\.lease.job) == [other])
            #expect(try await test.claim().isEmpty)
            for job in [retrying, during, follower] { #expect(try await test.state(job) == .ready) }
            #expect(try await test.settle(running, test.again()) == .held(wake: []))
            try await test.makeDue(before)
            _ = try await test.queue.moveDue()
            #expect(try await test.claim().isEmpty)
            #expect(try await test.queue.moveDue() == DueMove(wake: [], nextDue: nil))
            #expect(try await test.queue.resume(.title) == [.chat])
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [before, retrying, during])
            #expect(claimed.map(\.attempt) == [2, 1, 1])
            #expect(try await test.queue.resume(.title) == [])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a job of a paused kind can be cancelled and frees its key`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let key = SerialKey(high: 1, low: 3)
            try await test.queue.pause(.title)
            let head = try await test.enqueue(kind: .title, key: key)
            let follower = try await test.enqueue(key: key)
            #expect(try await test.claim().isEmpty)
            #expect(try await test.queue.cancel(head, owner: test.user) == .ended(wake: [.chat], events: []))
            #expect(try await test.claim().map(\.lease.job) == [follower])
        }
    }
}
