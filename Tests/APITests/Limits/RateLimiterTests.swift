// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@testable import API

/// The limiter by itself, on the shared counters.
@Suite(.timeLimit(.minutes(1)))
struct RateLimiterTests {
    private static let address = RateLimitBucket(.address, high: 0, low: 1)
    private static let now = Timestamp(millisecondsSince1970: 1_700_000_040_000)

    private let metrics = MetricsRegistry()

    private func limiter(
        _ database: Database, user: Int64 = 10_000_000, address: Int64 = 10_000_000, attempts: Int64 = 10_000_000,
        capacity: Int = 1000, patience: Duration = .seconds(5)
    ) -> RateLimiter {
        var values: [SystemSettingKey: JSONValue] = [:]
        for key in SystemSettingKey.allCases {
            switch key.kind {
            case .bool: values[key] = true
            case .text: values[key] = ""
            case .integer(let range): values[key] = .integer(range.upperBound)
            case .model: break
            }
        }
        values.merge(
            [
                .rateLimitMax: .integer(user), .rateLimitIPMax: .integer(address),
                .authRateLimitMax: .integer(attempts), .rateLimitWindowMilliseconds: 60_000,
            ]) { $1 }
        return RateLimiter(
            store: RateLimitStore(database: database),
            settings: SettingsStore(
                database: database, defaults: SystemSettings(defaults: values), logger: .discard),
            now: { Self.now }, capacity: capacity, patience: patience, metrics: metrics)
    }

    private func running<Value: Sendable>(
        _ limiters: [RateLimiter], _ body: () async throws -> Value
    ) async throws -> Value {
        let shutdown = ShutdownSignal()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for limiter in limiters { group.addTask { try await limiter.run(shutdown) } }
            defer { shutdown.trigger() }
            return try await body()
        }
    }

    private func admitted(_ count: Int, by limiters: [RateLimiter], user: UserID) async throws -> Int {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<count {
                let limiter = limiters[number % limiters.count]
                group.addTask { try await limiter.check(user: user, address: Self.address).refusedBy == nil }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    private var draws: Int {
        let line = metrics.prometheusText().split(separator: "\n").first {
            $0.hasPrefix("switchyard_rate_limit_draws_total ")
        }
        return line.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    }

    @Test(.migratedDatabase, arguments: [1, 10, 500, 1000])
    func `of many at once through many processes exactly the limit goes on`(limit: Int) async throws {
        let database = try TestDatabase.required().database
        let limiters = (0..<3).map { _ in limiter(database, user: Int64(limit)) }
        let user = UserID(high: 1, low: UInt64(limit))
        try await running(limiters) {
            var count = try await admitted(limit + 90, by: limiters, user: user)
            #expect(count <= limit)
            for limiter in limiters { count += try await admitted(limit, by: [limiter], user: user) }
            #expect(count == limit)
            let before = draws
            #expect(try await admitted(300, by: limiters, user: user) == 0)
            #expect(draws == before)
        }
        let used = try await database.pool.query("SELECT used FROM rate_limits WHERE kind = 1").decodeFirst(Int32.self)
        #expect(used == Int32(limit))
    }

    @Test(.migratedDatabase) func `requests share draws`() async throws {
        let limiter = limiter(try TestDatabase.required().database, user: 600, address: 1200)
        try await running([limiter]) {
            for number in 0..<100 {
                let verdict = try await limiter.check(user: UserID(high: 1, low: 1), address: Self.address)
                #expect(verdict.quota == RateLimitQuota(limit: 600, remaining: 599 - number, reset: .seconds(60)))
            }
            #expect(draws < 20)
        }
    }

    @Test(.migratedDatabase) func `many people at once are many rows of few statements`() async throws {
        let database = try TestDatabase.required().database
        let limiters = (0..<2).map { _ in limiter(database, user: 5, capacity: 20) }
        try await running(limiters) {
            let count = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in UInt64(0)..<600 {
                    group.addTask {
                        let limiter = limiters[Int(number % 2)]
                        let user = UserID(high: 2, low: number % 100)
                        return try await limiter.check(user: user, address: Self.address).refusedBy == nil
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 500)
        }
    }

    @Test(.migratedDatabase) func `attempts are exact however many come at once`() async throws {
        let database = try TestDatabase.required().database
        let limiter = limiter(database, attempts: 20)
        let attempt = RateLimitBucket(.attempt, high: 7, low: 7)
        let count = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<60 {
                group.addTask { try await limiter.checkAttempt(attempt, from: Self.address).refusedBy == nil }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 20)
    }

    @Test(.migratedDatabase) func `without the database a request fails and none is let through`() async throws {
        let test = try TestDatabase.required()
        let pool = PostgresPool(
            name: "away", test.configuration, loops: try TestCluster.loops.get().loops,
            blocking: TestCluster.blocking, logger: .discard, metrics: MetricsRegistry())
        // Nobody runs the pool, so that it never connects.
        let limiter = limiter(Database(pool), patience: .milliseconds(20))
        try await running([limiter]) {
            await #expect(throws: APIError.self) {
                _ = try await limiter.check(user: nil, address: Self.address)
            }
            do throws(APIError) {
                _ = try await limiter.checkAttempt(Self.address, from: Self.address)
                Issue.record("an attempt was let through")
            } catch {
                #expect(error.code == .unavailable && error.retryAfter != nil)
            }
        }
        // And after its end.
        do throws(APIError) {
            _ = try await limiter.check(user: nil, address: Self.address)
            Issue.record("a request was let through")
        } catch {
            #expect(error.code == .unavailable)
        }
    }
}
