// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct RefreshTokenStoreTests {
    @Test func `a token is good once and its reuse ends the log-in`() async throws {
        let fixture = try await Fixture.make()
        let tokens = RefreshTokenStore(database: fixture.database)
        let chain = (0..<4).map { _ in OpaqueToken.generate(.refresh) }
        let unrelated = OpaqueToken.generate(.refresh)
        try await tokens.issue(chain[0], to: fixture.user)
        try await tokens.issue(unrelated, to: fixture.user)
        #expect(try await tokens.rotate(chain[0], to: chain[1]) == .rotated(fixture.user))
        #expect(try await tokens.rotate(chain[1], to: chain[2]) == .rotated(fixture.user))
        #expect(try await tokens.rotate(chain[0], to: chain[3]) == .reused(fixture.user))
        #expect(try await tokens.rotate(chain[2], to: chain[3]) == .unknown)
        #expect(try await tokens.rotate(chain[3], to: chain[0]) == .unknown)
        #expect(try await tokens.rotate(unrelated, to: chain[0]) == .rotated(fixture.user))
    }

    @Test func `of two rotations at once one is taken for a reuse`() async throws {
        let fixture = try await Fixture.make()
        let tokens = RefreshTokenStore(database: fixture.database)
        let token = OpaqueToken.generate(.refresh)
        try await tokens.issue(token, to: fixture.user)
        let outcomes = try await withThrowingTaskGroup(of: RefreshOutcome.self) { group in
            for _ in 0..<2 { group.addTask { try await tokens.rotate(token, to: .generate(.refresh)) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(outcomes == [.rotated(fixture.user), .reused(fixture.user)])
    }

    @Test func `a revoked log-in is gone and an unknown token is no error`() async throws {
        let fixture = try await Fixture.make()
        let tokens = RefreshTokenStore(database: fixture.database)
        let (first, second) = (OpaqueToken.generate(.refresh), OpaqueToken.generate(.refresh))
        try await tokens.issue(first, to: fixture.user)
        _ = try await tokens.rotate(first, to: second)
        try await tokens.revoke(second)
        #expect(try await tokens.rotate(first, to: .generate(.refresh)) == .unknown)
        #expect(try await tokens.rotate(second, to: .generate(.refresh)) == .unknown)
        try await tokens.revoke(.generate(.refresh))
    }

    @Test func `expired tokens are refused and deleted`() async throws {
        let fixture = try await Fixture.make()
        let expired = RefreshTokenStore(database: fixture.database, lifetimeDays: -1)
        let live = RefreshTokenStore(database: fixture.database)
        let (old, new) = (OpaqueToken.generate(.refresh), OpaqueToken.generate(.refresh))
        try await expired.issue(old, to: fixture.user)
        try await live.issue(new, to: fixture.user)
        #expect(try await live.rotate(old, to: .generate(.refresh)) == .unknown)
        #expect(try await live.deleteExpired() == 1)
        #expect(try await live.rotate(new, to: .generate(.refresh)) == .rotated(fixture.user))
    }
}
