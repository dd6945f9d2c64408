// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

/// What one person has, and what another does to it.
@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct OwnershipTests {
    struct Things: Sendable {
        let owner: Fixture
        let session: SessionID
        let message: MessageID
        let job: JobID
        let model: ModelID
        let call: ProviderCall
    }

    /// Whether the user saw or changed anything.
    struct Attempt: Sendable, CustomTestStringConvertible {
        let name: String
        let reaches: @Sendable (Things, _ user: UserID) async throws -> Bool
        var testDescription: String { name }
    }

    static let attempts = [
        Attempt(name: "find session") { things, user in
            try await things.owner.sessions.find(things.session, user: user) != nil
        },
        Attempt(name: "list sessions") { things, user in
            try await !things.owner.sessions.list(of: user, limit: 10).items.isEmpty
        },
        Attempt(name: "update session") { things, user in
            var changes = SessionChanges()
            changes.title = "changed"
            return try await code {
                _ = try await things.owner.sessions.update(things.session, user: user, changes)
            } != .notFound
        },
        Attempt(name: "delete session") { things, user in
            try await code {
                try await things.owner.sessions.delete(things.session, user: user) { _, jobs in
                    if user != things.owner.user { #expect(jobs.isEmpty) }
                }
            } != .notFound
        },
        Attempt(name: "find message") { things, user in
            try await things.owner.messages.find(things.message, user: user) != nil
        },
        Attempt(name: "find message by job") { things, user in
            try await things.owner.messages.find(job: things.job, user: user) != nil
        },
        Attempt(name: "read path") { things, user in
            try await !things.owner.messages.path(
                to: things.message, in: things.session, user: user, limit: 10
            ).items.isEmpty
        },
        Attempt(name: "read path above") { things, user in
            let child = try await things.owner.message("c", in: things.session, under: things.message)
            return try await !things.owner.messages.path(
                to: child, in: things.session, user: user, above: child, limit: 10
            ).items.isEmpty
        },
        Attempt(name: "load thread") { things, user in
            try await things.owner.messages.thread(
                endingAt: things.message, with: things.session, user: user) != nil
        },
        Attempt(name: "read usage") { things, user in
            let usage = try await things.owner.usage.usage(of: things.session, user: user)
            return usage.totals.callCount > 0 || usage.lastRound != nil || usage.current != nil
        },
        Attempt(name: "close usage") { things, user in
            var call = things.call
            call.userID = user
            return try await things.owner.usage.close(
                call, Usage(promptTokens: 9, completionTokens: 9, contextLimit: 9, isEstimated: false))
        },
        Attempt(name: "find model") { things, user in
            try await Fixture.models(things.owner.database).find(things.model, visibleTo: user) != nil
        },
        Attempt(name: "list models") { things, user in
            try await !Fixture.models(things.owner.database).list(visibleTo: user).personal.isEmpty
        },
        Attempt(name: "resolve model") { things, user in
            try await code {
                _ = try await Fixture.models(things.owner.database).resolve(things.model, for: user, defaultID: nil)
            } != .notFound
        },
        Attempt(name: "resolve model as the default") { things, user in
            try await Fixture.models(things.owner.database).resolve(nil, for: user, defaultID: things.model).id
                == things.model
        },
        Attempt(name: "resolve model by name") { things, user in
            try await Fixture.models(things.owner.database).resolve(named: "mine", for: user) != nil
        },
        Attempt(name: "update model") { things, user in
            try await code {
                _ = try await Fixture.models(things.owner.database).update(things.model, owner: user) { $0 }
            } != .notFound
        },
        Attempt(name: "delete model") { things, user in
            try await code {
                try await Fixture.models(things.owner.database).delete(things.model, owner: user)
            } != .notFound
        },
    ]

    private func things() async throws -> Things {
        let owner = try await Fixture.make()
        let (session, job) = (try await owner.session().id, try await owner.unfinishedJob())
        let message = try await owner.message(
            "private", in: session, under: nil, role: .assistant, status: .queued, job: job)
        let model: ModelID = Fixture.id()
        _ = try await Fixture.models(owner.database).create(
            model, owner: owner.user, Fixture.modelFields, apiKey: Secret("k"))
        let call = ProviderCall(
            lease: Lease(job: job, number: 1), number: 1, userID: owner.user, sessionID: session, messageID: message,
            model: "m", provider: "p")
        _ = try await owner.usage.close(
            call, Usage(promptTokens: 1, completionTokens: 1, contextLimit: 9, isEstimated: true))
        return Things(owner: owner, session: session, message: message, job: job, model: model, call: call)
    }

    @Test(arguments: attempts)
    func `the owner reaches it and nobody else does`(attempt: Attempt) async throws {
        let things = try await things()
        let stranger = try await Fixture.make()
        let before = try await snapshot(things)
        #expect(try await attempt.reaches(things, stranger.user) == false)
        if attempt.name != "read path above" { #expect(try await snapshot(things) == before) }
        #expect(try await attempt.reaches(things, things.owner.user))
    }

    @Test func `nobody but an admin's call changes the system's models, and not by a person's id`() async throws {
        let things = try await things()
        let store = try Fixture.models(things.owner.database)
        #expect(try await code { try await store.delete(things.model, owner: nil) } == .notFound)
        #expect(try await code { _ = try await store.update(things.model, owner: nil) { $0 } } == .notFound)
        let system: ModelID = Fixture.id()
        var fields = Fixture.modelFields
        fields.name = "the system's"
        _ = try await store.create(system, owner: nil, fields, apiKey: nil)
        #expect(try await code { try await store.delete(system, owner: things.owner.user) } == .notFound)
        #expect(
            try await code { _ = try await store.update(system, owner: things.owner.user) { $0 } } == .notFound)
    }

    /// Everything of the owner's, as text.
    private func snapshot(_ things: Things) async throws -> [String] {
        let user = things.owner.user
        return try await things.owner.database.pool.query(
            """
            SELECT s::text FROM sessions s WHERE user_id = \(user)
            UNION ALL SELECT m::text FROM messages m WHERE user_id = \(user)
            UNION ALL SELECT u::text FROM usage u WHERE user_id = \(user)
            UNION ALL SELECT m::text FROM models m WHERE user_id = \(user)
            ORDER BY 1
            """
        ).decode(String.self)
    }
}
