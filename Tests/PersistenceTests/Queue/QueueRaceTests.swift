// SPDX-License-Identifier: Apache-2.0
import Chat
import Glibc
import Jobs
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

/// Everything that can happen to a job, at the same time and in random orders: one winner, no job lost, nothing left
/// behind. A few seconds' worth of seeds that differ from run to run; `SWITCHYARD_TEST_SEED` repeats one that failed,
/// `SWITCHYARD_TEST_RACE_SECONDS` goes on for longer.
@Suite(.timeLimit(.minutes(10)), .enabled(if: TestCluster.url != nil))
struct QueueRaceTests {
    private static func number(_ name: String) -> UInt64? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe UInt64(String(cString: value))
    }

    private static let fixedSeed = number("SWITCHYARD_TEST_SEED")
    private static let length = Duration.seconds(Int64(number("SWITCHYARD_TEST_RACE_SECONDS") ?? 4))

    /// What a step found out that the checks need.
    private enum Outcome: Sendable {
        case cancelled(JobID)
        case retried(JobID)
        case other
    }

    private typealias Step = @Sendable () async throws -> Outcome

    @Test(arguments: 0..<4)
    func `whatever happens to jobs at the same time has one winner and loses none`(shard: UInt64) async throws {
        try await TestDatabase.withMigrated { database in
            let first = Self.fixedSeed ?? (UInt64.random(in: 0..<1 << 40) << 8 | shard)
            let deadline = ContinuousClock.now + Self.length
            var seed = first
            repeat {
                var random = SeededGenerator(seed: seed)
                try await race(database, &random, seed: seed)
                seed += 4
            } while ContinuousClock.now < deadline && Self.fixedSeed == nil
            #expect(seed > first)
        }
    }

    /// Some jobs, each brought to one of the places where a job can be.
    private func prepare(
        _ test: QueueUnderTest, _ random: inout SeededGenerator, seed: UInt64
    ) async throws -> (jobs: [JobID], held: [ClaimedJob], key: SerialKey?) {
        let key: SerialKey? =
            Int.random(in: 0..<4, using: &random) == 0 ? nil : SerialKey(high: seed, low: random.next())
        var jobs: [JobID] = []
        for index in 0..<Int.random(in: 1...3, using: &random) {
            var job = test.job(key: key)
            if Int.random(in: 0..<5, using: &random) == 0 { job.runAt = QueueUnderTest.far }
            if Bool.random(using: &random) { job.uniqueKey = "\(index)" }
            _ = try await test.queue.enqueue([job])
            jobs.append(job.id)
        }
        var held = Bool.random(using: &random) ? try await test.claim(1) : []
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            for job in held { _ = try await test.settle(job, test.again(after: .zero)) }
            held = []
        case 1:
            for job in held { _ = try await test.settle(job, .failed(JobFailure(.fatal, .internalError, "x"))) }
            held = []
        case 2: _ = try await test.queue.cancel(jobs[0], owner: test.user)
        default: break
        }
        return (jobs, held, key)
    }

    private func race(_ database: TestDatabase, _ random: inout SeededGenerator, seed: UInt64) async throws {
        let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
        let (jobs, held, key) = try await prepare(test, &random, seed: seed)
        var steps: [Step] = []
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            let job = jobs.randomElement(using: &random) ?? jobs[0]
            steps.append {
                guard case .ended = try await test.queue.cancel(job, owner: test.user) else { return .other }
                return .cancelled(job)
            }
        }
        for _ in 0..<Int.random(in: 2...4, using: &random) {
            steps.append(step(test, jobs.randomElement(using: &random) ?? jobs[0], held, key, &random))
        }
        steps.shuffle(using: &random)
        let outcomes = try await withThrowingTaskGroup(of: Outcome.self) { group in
            for step in steps { group.addTask { try await step() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for job in jobs {
            let ended = outcomes.count { if case .cancelled(job) = $0 { true } else { false } }
            let retried = outcomes.count { if case .retried(job) = $0 { true } else { false } }
            // Each end from outside has a beginning.
            #expect(ended <= 1 + retried, "seed \(seed)")
        }
        try await check(database, seed: seed)
        try await finish(test, database, seed: seed)
    }

    /// One of the things that happen.
    private func step(
        _ test: QueueUnderTest, _ job: JobID, _ held: [ClaimedJob], _ key: SerialKey?,
        _ random: inout SeededGenerator
    ) -> Step {
        let ends: [RunEnd] = [
            .completed(result: nil), .failed(JobFailure(.fatal, .internalError, "x")), .handedOver(hadOutput: true),
            test.again(after: .zero), test.again(after: .zero, attemptSpent: false),
        ]
        let end = ends.randomElement(using: &random) ?? .cancelled
        let uniqueKey = Bool.random(using: &random) ? "0" : nil
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
            return {
                _ = try await test.claim(2); return .other
            }
        case 1:
            return {
                _ = try await test.queue.rescue(test.worker); return .other
            }
        case 2:
            return {
                _ = try await test.queue.moveDue(); return .other
            }
        case 3:
            return {
                for job in held { _ = try await test.queue.putBackUnknown(job.lease, worker: test.worker) }
                return .other
            }
        case 4:
            return {
                var new = test.job(key: key)
                new.uniqueKey = uniqueKey
                _ = try await test.queue.enqueue([new])
                return .other
            }
        case 5, 6:
            return {
                guard case .linedUp = try await test.queue.retry(job, owner: test.user) else { return .other }
                return .retried(job)
            }
        case 7:
            return {
                try await test.queue.pause(.noop)
                _ = try await test.claim(1)
                _ = try await test.queue.resume(.noop)
                return .other
            }
        default:
            return {
                for job in held where try await test.settle(job, end) == .cancelRequested {
                    _ = try await test.settle(job, .cancelled)
                }
                return .other
            }
        }
    }

    /// Each unfinished job stands in one place, each waiting one has a head, and unique keys are those of unfinished jobs.
    private func check(_ database: TestDatabase, seed: UInt64) async throws {
        let wrong = try await database.pool.query(
            """
            SELECT 'places of ' || j.id FROM jobs j
            WHERE (j.state IS NULL)::int <> (SELECT count(*) FROM ready WHERE job = j.id)
                + (SELECT count(*) FROM waiting WHERE job = j.id) + (SELECT count(*) FROM deferred WHERE job = j.id)
                + (SELECT count(*) FROM running WHERE job = j.id)
            UNION ALL SELECT 'tag of ' || j.id FROM jobs j JOIN ready r ON r.job = j.id WHERE r.tag <> j.tag
            UNION ALL SELECT 'no head of ' || job FROM waiting w
            WHERE NOT EXISTS (SELECT FROM serial_heads h WHERE h.serial_key = w.serial_key)
            UNION ALL SELECT 'unique key of ' || j.id FROM jobs j
            WHERE j.unique_key IS NOT NULL
              AND (j.state IS NULL) <> EXISTS (SELECT FROM unique_keys u WHERE u.job = j.id)
            """
        ).decode(String.self)
        #expect(wrong.isEmpty, "seed \(seed)")
        let orphans = try await database.pool.query(RescueStatements.orphanedKeys(limit: 10)).decode(SerialKey.self)
        #expect(orphans.isEmpty, "seed \(seed)")
    }

    /// Runs what is left: no job is lost, and nothing is left behind.
    private func finish(_ test: QueueUnderTest, _ database: TestDatabase, seed: UInt64) async throws {
        let mended = try await database.queue.mend()
        #expect(mended.promotedKeys == 0 && mended.rescue.endedCount == 0, "seed \(seed)")
        while true {
            _ = try await test.queue.rescue(test.worker)
            try await database.pool.execute("UPDATE deferred SET due = now() WHERE due > now()")
            _ = try await test.queue.moveDue()
            let claimed = try await test.claim()
            if claimed.isEmpty { break }
            for job in claimed where try await test.settle(job) == .cancelRequested {
                _ = try await test.settle(job, .cancelled)
            }
        }
        let left = try await database.pool.query(
            """
            WITH ended AS (DELETE FROM jobs WHERE state IS NOT NULL), history AS (DELETE FROM job_errors)
            SELECT (SELECT count(*) FROM jobs WHERE state IS NULL) + (SELECT count(*) FROM serial_heads)
                + (SELECT count(*) FROM unique_keys)
            """
        ).decodeFirst(Int.self)
        #expect(left == 0, "seed \(seed)")
    }
}
