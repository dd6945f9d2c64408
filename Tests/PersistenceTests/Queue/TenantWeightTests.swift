// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

/// Weights that are set by who runs the system.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct TenantWeightTests {
    @Test func `weights are set, changed, listed and taken back`() async throws {
        try await TestDatabase.withMigrated { database in
            let weights = TenantWeights(database: database.database)
            #expect(try await weights.all() == [])
            let first = try await Fixture.make(in: database).user
            let second = try await Fixture.make(in: database).user
            try await weights.set(10, for: second)
            try await weights.set(3, for: first)
            // The bounds themselves are weights, exactly.
            try await weights.set(0.01, for: first)
            #expect(try await weights.all().map(\.user) == [first, second])
            #expect(try await weights.all().map(\.weight) == [0.01, 10])
            try await weights.reset(second)
            try await weights.reset(second)
            #expect(try await weights.all().map(\.user) == [first])
        }
    }

    @Test(arguments: [0, 0.0099, 10.001, -1, .nan, .infinity])
    func `what is no weight is refused`(weight: Double) async throws {
        try await TestDatabase.withMigrated { database in
            let weights = TenantWeights(database: database.database)
            let user = try await Fixture.make(in: database).user
            let error = await #expect(throws: PersistenceError.self) { try await weights.set(weight, for: user) }
            #expect(error?.code == .internal)
            #expect(try await weights.all() == [])
        }
    }

    @Test func `a user who does not exist gets no weight`() async throws {
        try await TestDatabase.withMigrated { database in
            let weights = TenantWeights(database: database.database)
            let error = await #expect(throws: PersistenceError.self) { try await weights.set(2, for: Fixture.id()) }
            #expect(error?.code == .notFound)
        }
    }

    @Test func `a weight counts for jobs that are enqueued after it`() async throws {
        try await TestDatabase.withMigrated { database in
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            let (heavy, light): (UserID, UserID) = (try await Fixture.make(in: database).user, Fixture.id())
            try await TenantWeights(database: database.database).set(4, for: heavy)
            for user in [light, heavy] {
                _ = try await test.queue.enqueue((0..<50).map { _ in test.job(.embedding, of: user) })
            }
            let claimed = try await test.claim(50)
            // Four of five.
            #expect((38...42).contains(claimed.count { $0.userID == heavy }))
        }
    }
}
