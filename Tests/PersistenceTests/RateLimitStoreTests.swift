// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct RateLimitStoreTests {
    private static let window = RateLimitWindow(
        containing: Timestamp(millisecondsSince1970: 1_700_000_040_000), length: .seconds(60))

    private func store() throws -> RateLimitStore { RateLimitStore(database: try TestDatabase.required().database) }

    private func bucket(_ number: UInt64, _ kind: RateLimitBucket.Kind = .user) -> RateLimitBucket {
        RateLimitBucket(kind, high: 0, low: number)
    }

    private func draw(
        _ bucket: RateLimitBucket, maximum: Int, wanted: Int, in window: RateLimitWindow = window
    ) async throws -> RateLimitGrant? {
        let draw = RateLimitDraw(bucket, maximum: maximum, wanted: wanted)
        return try await store().draw([draw], in: window, deadline: .now + .seconds(10))[bucket]
    }

    @Test func `a tenth of what is left is given at most, one at least, and nothing beyond the limit`() async throws {
        let bucket = bucket(1)
        var (used, grants) = (0, [Int]())
        while let grant = try await draw(bucket, maximum: 100, wanted: 40) {
            used += grant.granted
            #expect(grant.used == used)
            grants.append(grant.granted)
        }
        #expect(used == 100)
        #expect(grants.prefix(4) == [10, 9, 8, 7] && grants.suffix(10).allSatisfy { $0 == 1 })
        #expect(try await draw(bucket, maximum: 100, wanted: 1) == nil)
        // A raised limit opens it, a lowered one closes it.
        #expect(try await draw(bucket, maximum: 120, wanted: 1) == RateLimitGrant(used: 101, granted: 1))
        #expect(try await draw(bucket, maximum: 50, wanted: 1) == nil)
        let next = RateLimitWindow(containing: Self.window.end, length: Self.window.length)
        #expect(try await draw(bucket, maximum: 100, wanted: 1, in: next) == RateLimitGrant(used: 1, granted: 1))
    }

    @Test func `draws of the same buckets in any order at once neither block each other nor lose count`() async throws {
        let store = try store()
        let buckets = (UInt64(100)..<120).map { bucket($0, $0 % 2 == 0 ? .address : .attempt) }
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<40 {
                let order = number % 2 == 0 ? buckets : buckets.reversed()
                let draws = order.map { RateLimitDraw($0, maximum: 30, wanted: 2) }
                group.addTask {
                    let grants = try await store.draw(draws, in: Self.window, deadline: .now + .seconds(30))
                    return grants.values.reduce(0) { $0 + $1.granted }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(total == 30 * buckets.count)
    }

    @Test(.migratedDatabase) func `windows that are over are deleted and others kept`() async throws {
        let database = try TestDatabase.required()
        try await database.pool.execute(
            """
            INSERT INTO rate_limits (kind, key, window_start, ends_at, maximum, used, granted)
            SELECT 1, gen_random_uuid(), now(), now() + n * interval '30 seconds', 9, 1, 1
            FROM generate_series(-2500, 10) n
            """)
        #expect(try await store().deleteEnded() == 2499)
        #expect(try await store().deleteEnded() == 0)
        let left = try await database.pool.query("SELECT count(*) FROM rate_limits").decodeFirst(Int64.self)
        #expect(left == 12)
    }

    @Test func `a draw waits for no disk`() async throws {
        // An unlogged table writes no WAL, and a transaction that wrote none has nothing to wait for.
        let kind = try await TestDatabase.required().pool.query(
            "SELECT relpersistence::text FROM pg_class WHERE relname = 'rate_limits'"
        ).decodeFirst(String.self)
        #expect(kind == "u")
    }
}
