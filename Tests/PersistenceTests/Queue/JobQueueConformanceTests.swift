// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

/// What every queue promises of the line: order, claims, leases, ends. One suite, all implementations.
@Suite(.timeLimit(.minutes(1)))
struct JobQueueConformanceTests {
    @Test(arguments: QueueImplementation.allCases)
    func `jobs are claimed lane by lane and within a lane as they came`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            var jobs: [JobID] = []
            for lane in [Lane.embedding, .summary, .title, .chat] {
                for _ in 0..<3 { jobs.append(try await test.enqueue(lane)) }
            }
            let expected = Array(jobs[9...] + jobs[6..<9] + jobs[3..<6] + jobs[..<3])
            #expect(try await test.claim().map(\.lease.job) == expected)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a higher priority goes before what came earlier`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let plain = try await test.enqueue()
            let high = try await test.enqueue(priority: 1)
            let low = try await test.enqueue(priority: -1)
            #expect(try await test.claim().map(\.lease.job) == [high, plain, low])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a claim takes never more than asked for`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            for lane in Lane.allCases { for _ in 0..<5 { try await test.enqueue(lane) } }
            #expect(try await test.claim(0).isEmpty)
            #expect(try await test.claim(3, background: 3).map(\.lane) == [.chat, .chat, .chat])
            #expect(try await test.claim(4, background: 1).map(\.lane) == [.chat, .chat, .title])
            #expect(try await test.claim(4, background: 0).isEmpty)
            #expect(try await test.claim(4, background: 2).map(\.lane) == [.title, .title])
            try await test.enqueue(.chat)
            #expect(try await test.claim(2, background: 2).map(\.lane) == [.chat, .title])
            #expect(try await test.claim().count == 11)
            #expect(try await test.claim().isEmpty)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `each job is claimed once by many claimers`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let count = 300
            var jobs: [NewJob] = []
            for index in 0..<count {
                let lane = Lane.allCases[index % Lane.allCases.count]
                jobs.append(test.job(lane, key: index % 3 == 0 ? SerialKey(high: 1, low: UInt64(index)) : nil))
            }
            _ = try await test.queue.enqueue(jobs)
            let claimed = try await withThrowingTaskGroup(of: [ClaimedJob].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var mine: [ClaimedJob] = []
                        let worker: WorkerID = Fixture.id()
                        while true {
                            let batch = try await test.claim(7, background: 5, by: worker)
                            #expect(batch.count <= 7)
                            #expect(batch.count { $0.lane != .chat } <= 5)
                            // Others may hold what is left for the moment: look until nothing is in line.
                            mine += batch
                            if batch.isEmpty { return mine }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let rest = try await test.claim(count)
            #expect(Set((claimed + rest).map(\.lease.job)) == Set(jobs.map(\.id)))
            #expect((claimed + rest).count == count)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a repeated enqueue changes nothing`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let job = test.job(key: SerialKey(high: 1, low: 1))
            var other = job
            other.lane = .embedding
            #expect(try await test.queue.enqueue([job]).wake == [.chat])
            #expect(try await test.queue.enqueue([other]).wake == [])
            let claimed = try await test.claim()
            #expect(claimed.map(\.lane) == [.chat])
            #expect(try await test.queue.enqueue([job]).wake == [])
            #expect(try await test.settle(claimed[0]) == .held(wake: []))
            #expect(try await test.queue.enqueue([job]).wake == [])
            #expect(try await test.claim().isEmpty)
            #expect(try await test.state(job.id) == .completed)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `what a job is comes back with its claim`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            var job = test.job(.summary, key: SerialKey(high: 3, low: 4))
            job.payload = Array(#"{"text":"ä \u0000"}"#.utf8)
            job.maximumAttempts = 2
            job.runLimit = .milliseconds(1500)
            _ = try await test.queue.enqueue([job])
            let claimed = try await test.claimOne()
            #expect(claimed.payload == job.payload)
            #expect(claimed.kind == .noop && claimed.lane == .summary && claimed.userID == test.user)
            #expect(claimed.serialKey == job.serialKey && claimed.runLimit == job.runLimit)
            #expect(claimed.attempt == 1 && claimed.maximumAttempts == 2 && claimed.crashes == 0)
            #expect(!claimed.needsRestart)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `what is due later waits for its time`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let late = try await test.enqueue(.title, runAt: QueueUnderTest.far)
            let old = try await test.enqueue(runAt: QueueUnderTest.past)
            #expect(try await test.state(late) == .scheduled)
            #expect(try await test.claim().map(\.lease.job) == [old])
            let none = try await test.queue.moveDue()
            #expect(none.wake.isEmpty)
            #expect(try #require(none.nextDue) > .seconds(3600))
            try await test.makeDue(late)
            #expect(try await test.queue.moveDue() == DueMove(wake: [.title], nextDue: nil))
            #expect(try await test.claim().map(\.lease.job) == [late])
        }
    }

    @Test(arguments: QueueImplementation.allCases, [true, false])
    func `a retry spends its attempt or gives it back`(_ queue: QueueImplementation, isSpent: Bool) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            let first = try await test.claimOne()
            #expect(
                try await test.settle(first, test.again(attemptSpent: isSpent, hadOutput: isSpent)) == .held(wake: []))
            #expect(try await test.state(id) == .scheduled)
            #expect(try await test.claim().isEmpty)
            try await test.makeDue(id)
            #expect(try await test.queue.moveDue().wake == [.chat])
            let second = try await test.claimOne()
            #expect(second.attempt == (isSpent ? 2 : 1))
            #expect(second.needsRestart == isSpent)
            #expect(second.lease.number > first.lease.number)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a hand-over gives the attempt back and keeps the place`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            let other = try await test.enqueue()
            let first = try await test.claimOne()
            #expect(try await test.settle(first, .handedOver(hadOutput: true)) == .held(wake: [.chat]))
            #expect(try await test.queue.record(id, owner: test.user)?.attempt == 0)
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [id, other])
            #expect(claimed[0].attempt == 1 && claimed[0].needsRestart)
            #expect(claimed[0].lease.number > first.lease.number)
        }
    }

    static let ends: [RunEnd] = [
        .completed(result: Array("1".utf8)), .failed(JobFailure(.fatal, .internalError, "")), .cancelled,
        .handedOver(hadOutput: false),
        .again(
            after: .zero, attemptSpent: true, hadOutput: false,
            failure: JobFailure(.retry, .providerUnavailable, "")),
    ]

    @Test(arguments: QueueImplementation.allCases, ends.indices)
    func `an older lease changes nothing`(_ queue: QueueImplementation, end: Int) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            let first = try await test.claimOne()
            _ = try await test.settle(first, .handedOver(hadOutput: false))
            let second = try await test.claimOne()
            let event = StampedEvent(
                job: id, event: LoggedEvent(.content("x"), at: StreamCursor(lease: first.lease.number, sequence: 1)),
                written: Timestamp(millisecondsSince1970: 1_790_000_000_000))
            #expect(try await test.queue.settle(first, Self.ends[end], events: [event]) == .stale)
            #expect(try await test.queue.putBackUnknown(first.lease, worker: test.worker).putBackCount == 0)
            #expect(try await test.state(id) == .running)
            #expect(try await test.events(id).isEmpty)
            #expect(try await test.settle(second) == .held(wake: []))
            #expect(try await test.settle(first, Self.ends[end]) == .stale)
            #expect(try await test.state(id) == .completed)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `an end that was written is found so when repeated`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let key = SerialKey(high: 1, low: 1)
            let id = try await test.enqueue()
            let plain = try await test.claimOne()
            let result = Array(#"{"a":1}"#.utf8)
            #expect(try await test.settle(plain, .completed(result: result)) == .held(wake: []))
            #expect(try await test.settle(plain, .completed(result: result)) == .held(wake: []))
            let record = try #require(try await test.queue.record(id, owner: test.user))
            #expect(record.result == result && record.state == .completed && record.lease == plain.lease.number)
            #expect(record.startedAt != nil && record.finishedAt != nil)
            try await test.enqueue(key: key)
            let follower = try await test.enqueue(key: key)
            let head = try await test.claimOne()
            #expect(try await test.settle(head) == .held(wake: [.chat]))
            // The first answer may have been lost, and with it what there is to wake.
            #expect(try await test.settle(head) == .held(wake: [.chat]))
            #expect(try await test.claim().map(\.lease.job) == [follower])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `lease numbers rise with every claim`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            var last: Int64 = 0
            for round in 0..<12 {
                let claimed = try await test.claimOne()
                #expect(claimed.lease.number > last)
                last = claimed.lease.number
                switch round % 3 {
                case 0: _ = try await test.settle(claimed, .handedOver(hadOutput: false))
                case 1:
                    _ = try await test.settle(claimed, test.again(after: .zero, attemptSpent: false))
                    _ = try await test.queue.moveDue()
                default: _ = try await test.queue.putBackUnknown(claimed.lease, worker: test.worker)
                }
                #expect(try await test.queue.record(id, owner: test.user)?.lease == last)
            }
        }
    }
}
