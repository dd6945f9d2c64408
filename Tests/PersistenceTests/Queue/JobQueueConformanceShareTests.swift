// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

/// What every queue promises of the shares of tenants and lanes.
@Suite(.timeLimit(.minutes(1)))
struct JobQueueConformanceShareTests {
    private func enqueue(
        _ test: QueueUnderTest, _ count: Int, of tenant: UserID, _ lane: Lane = .embedding
    ) async throws -> [JobID] {
        let jobs = (0..<count).map { _ in test.job(lane, of: tenant) }
        _ = try await test.queue.enqueue(jobs)
        return jobs.map(\.id)
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a tenant with many jobs does not delay another's few`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let (many, few): (UserID, UserID) = (Fixture.id(), Fixture.id())
            _ = try await enqueue(test, 300, of: many)
            #expect(try await test.claim(100).count == 100)
            let theirs = Set(try await enqueue(test, 10, of: few))
            let next = try await test.claim(25).map(\.lease.job)
            #expect(Set(next).isSuperset(of: theirs))
            // And it was not only theirs.
            #expect(next.count == 25)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `tenants with backlogs take turns`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let tenants: [UserID] = [Fixture.id(), Fixture.id(), Fixture.id()]
            for tenant in tenants { _ = try await enqueue(test, 100, of: tenant) }
            let claimed = try await test.claim(90)
            for tenant in tenants { #expect((29...31).contains(claimed.count { $0.userID == tenant })) }
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a tenant's jobs of a lane start in the order of their enqueues, however they came`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            let (tenant, other): (UserID, UserID) = (Fixture.id(), Fixture.id())
            var jobs: [JobID] = []
            for round in 0..<6 {
                jobs += try await enqueue(test, round % 2 == 0 ? 1 : 7, of: tenant)
                _ = try await enqueue(test, 3, of: other)
                if round == 3 {
                    jobs.removeAll(where: Set(try await test.claim(5).map(\.lease.job)).contains)
                }
            }
            let claimed = try await test.claim().filter { $0.userID == tenant }.map(\.lease.job)
            #expect(claimed == jobs)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a weight is a share`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let (heavy, light): (UserID, UserID) = (Fixture.id(), Fixture.id())
            try await test.setWeight(heavy, 2)
            _ = try await enqueue(test, 100, of: light)
            _ = try await enqueue(test, 100, of: heavy)
            let claimed = try await test.claim(50)
            // Two of three.
            #expect((32...35).contains(claimed.count { $0.userID == heavy }))
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a tenant whose backlog is gone begins anew`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let (tenant, other): (UserID, UserID) = (Fixture.id(), Fixture.id())
            let gone = try await enqueue(test, 50, of: tenant)
            _ = try await enqueue(test, 50, of: other)
            for job in gone { _ = try await test.queue.cancel(job, owner: tenant) }
            let new = try await enqueue(test, 1, of: tenant)
            #expect(try await test.claim(3).map(\.lease.job).contains(new[0]))
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `many scheduled jobs of a tenant take their places when they are due`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            let (many, few): (UserID, UserID) = (Fixture.id(), Fixture.id())
            for _ in 0..<40 {
                var job = test.job(.title, of: many)
                job.runAt = QueueUnderTest.far
                _ = try await test.queue.enqueue([job])
                try await test.makeDue(job.id)
            }
            let theirs = try await enqueue(test, 5, of: few, .title)
            #expect(try await test.queue.moveDue().wake == [.title])
            let first = try await test.claim(12).map(\.lease.job)
            #expect(Set(first).isSuperset(of: theirs))
            #expect(try await test.claim(100).count == 33)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `priorities go before shares and have shares of their own`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let (many, few): (UserID, UserID) = (Fixture.id(), Fixture.id())
            _ = try await enqueue(test, 20, of: few)
            var urgent: [NewJob] = []
            for _ in 0..<30 {
                var job = test.job(.embedding, priority: 1, of: many)
                job.runLimit = .seconds(1)
                urgent.append(job)
            }
            _ = try await test.queue.enqueue(urgent)
            var one = test.job(.embedding, priority: 1, of: few)
            one.runLimit = .seconds(1)
            _ = try await test.queue.enqueue([one])
            let first = try await test.claim(5)
            #expect(first.map(\.lease.job).contains(one.id))
            #expect(first.allSatisfy { $0.runLimit == .seconds(1) })
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a lane that has waited for its target gets one of each claim with room`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            for lane in [Lane.title, .summary, .embedding] { _ = try await enqueue(test, 50, of: test.user, lane) }
            #expect(Set(try await test.claim(8).map(\.lane)) == [.title])
            try await test.age(.seconds(40))
            #expect(try await test.claim(8).count { $0.lane == .summary } == 1)
            try await test.age(.seconds(40))
            for _ in 0..<3 {
                let claimed = try await test.claim(8)
                #expect(claimed.count == 8)
                for lane in [Lane.summary, .embedding] { #expect(claimed.count { $0.lane == lane } == 1) }
            }
            // Never of the slots that are chat's.
            _ = try await enqueue(test, 8, of: test.user, .chat)
            #expect(Set(try await test.claim(8, background: 0).map(\.lane)) == [.chat])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a starved lane goes on when claims are of one job, and takes no more than a part`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            _ = try await enqueue(test, 200, of: test.user, .title)
            _ = try await enqueue(test, 200, of: test.user, .embedding)
            try await test.age(.seconds(90))
            var lanes: [Lane] = []
            for _ in 0..<120 { lanes += try await test.claim(1).map(\.lane) }
            #expect(lanes.count == 120)
            // A quarter is expected; the odds of leaving these bounds are below one in a million.
            #expect((5...70).contains(lanes.count { $0 == .embedding }))
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a gate's allowance holds for lanes that have waited too`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            for lane in [Lane.title, .summary, .embedding] {
                for _ in 0..<5 { try await test.enqueue(lane, gate: 4) }
            }
            try await test.age(.seconds(90))
            let one = try await test.claim(8, gates: [GateAllowance(gate: 4, atMost: 1)])
            #expect(one.count == 1 && one[0].lane != .title)
            let three = try await test.claim(8, gates: [GateAllowance(gate: 4, atMost: 3)])
            #expect(three.count == 3 && Set(three.map(\.lane)) == [.title, .summary, .embedding])
        }
    }
}
