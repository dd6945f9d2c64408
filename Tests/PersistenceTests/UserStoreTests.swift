// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct UserStoreTests {
    private func store() throws -> UserStore { UserStore(database: try TestDatabase.required().database) }

    @Test func `of many who register at once exactly one is the admin`() async throws {
        try await TestDatabase.withMigrated { empty in
            let store = UserStore(database: empty.database)
            let roles = try await withThrowingTaskGroup(of: UserRole.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        try await store.create(
                            NewUser(id: Fixture.id(), username: "user\(number)", passwordHash: "h")
                        ).role
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(roles.filter { $0 == .admin }.count == 1)
            #expect(roles.count == 12)
        }
    }

    @Test func `names and addresses are unique and found without regard to case`() async throws {
        let store = try store()
        let id: UserID = Fixture.id()
        let user = try await store.create(
            NewUser(id: id, username: "Jürgen", email: "J@Example.org", passwordHash: "h"))
        #expect(user.username == "Jürgen")
        for login in ["jürgen", "JÜRGEN", "j@example.ORG"] {
            #expect(try await store.find(login: login)?.id == id)
        }
        #expect(try await store.find(login: "jurgen") == nil)
        #expect(try await store.find(id) == user)
        #expect(
            try await code {
                _ = try await store.create(NewUser(id: Fixture.id(), username: "JÜRGEN", passwordHash: "h"))
            } == .conflict(constraint: "users_username"))
        #expect(
            try await code {
                _ = try await store.create(
                    NewUser(id: Fixture.id(), username: "other", email: "j@EXAMPLE.org", passwordHash: "h"))
            } == .conflict(constraint: "users_email"))
    }

    @Test func `a password change needs the verified hash and revokes every token`() async throws {
        let fixture = try await Fixture.make()
        let (store, tokens) = (try store(), RefreshTokenStore(database: fixture.database))
        let (mine, other) = (OpaqueToken.generate(.refresh), OpaqueToken.generate(.refresh))
        try await tokens.issue(mine, to: fixture.user, verifiedHash: "hash")
        try await tokens.issue(other, to: fixture.user)
        #expect(
            try await code {
                try await store.changePassword(of: fixture.user, from: "another", to: "new")
            } == .stale)
        #expect(try await tokens.rotate(other, to: .generate(.refresh)) == .rotated(fixture.user))
        try await store.changePassword(of: fixture.user, from: "hash", to: "new")
        #expect(try await tokens.rotate(mine, to: .generate(.refresh)) == .unknown)
        #expect(try await store.find(fixture.user)?.passwordHash == "new")
        // A log-in that verified the old password comes too late.
        #expect(
            try await code {
                try await tokens.issue(.generate(.refresh), to: fixture.user, verifiedHash: "hash")
            } == .stale)
    }

    @Test func `no token outlives a password change that runs beside its rotation`() async throws {
        for _ in 0..<20 {
            let fixture = try await Fixture.make()
            let (store, tokens) = (try store(), RefreshTokenStore(database: fixture.database))
            let (first, second) = (OpaqueToken.generate(.refresh), OpaqueToken.generate(.refresh))
            try await tokens.issue(first, to: fixture.user)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await tokens.rotate(first, to: second) }
                group.addTask { try await store.changePassword(of: fixture.user, from: "hash", to: "new") }
                try await group.waitForAll()
            }
            #expect(try await tokens.rotate(second, to: .generate(.refresh)) == .unknown)
        }
    }

    @Test func `the single user is made once and is an admin without a password`() async throws {
        try await TestDatabase.withMigrated { empty in
            let store = UserStore(database: empty.database)
            let ids = try await withThrowingTaskGroup(of: UserID.self) { group in
                for _ in 0..<8 { group.addTask { try await store.ensureSingleUser(newID: Fixture.id()) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            let user = try #require(try await store.find(login: "ADMIN"))
            #expect(user.role == .admin && !user.hasPassword && ids == [user.id])
        }
    }
}
