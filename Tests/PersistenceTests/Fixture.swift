// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import JSON
import Jobs
import Persistence
import Postgres
import Synchronization
import TestSupport

/// People, conversations and messages to test with, in the suite's database.
struct Fixture: Sendable {
    let database: Database
    let user: UserID

    static let ids = UUIDv7Generator { 1_790_000_000_000 }

    static func id<Tag>() -> Identifier<Tag> { ids.next() }

    /// A user nobody else in the database is.
    static func make(in database: TestDatabase? = nil) async throws -> Fixture {
        let database = try (database ?? TestDatabase.required()).database
        let id: UserID = id()
        _ = try await UserStore(database: database).create(NewUser(id: id, username: "\(id)", passwordHash: "hash"))
        return Fixture(database: database, user: id)
    }

    var sessions: SessionStore { SessionStore(database: database) }
    var messages: MessageStore { MessageStore(database: database) }
    var usage: UsageStore { UsageStore(database: database) }

    func session(title: String = "New chat", model: ModelID? = nil) async throws -> ChatSession {
        var new = NewSession(id: Self.id(), userID: user, title: title)
        new.modelID = model
        return try await sessions.create(new)
    }

    @discardableResult
    func message(
        _ content: String, in session: SessionID, under parent: MessageID?, role: MessageRole = .user,
        status: MessageStatus = .complete, job: JobID? = nil, id: MessageID = Fixture.id()
    ) async throws -> MessageID {
        try await database.pool.execute(
            """
            INSERT INTO messages (id, user_id, session_id, parent_id, role, content, status, job_id)
            VALUES (\(id), \(user), \(session), \(parent), \(role.rawValue), \(content), \(status.rawValue), \(job))
            """)
        return id
    }

    /// A job that has not ended.
    func unfinishedJob() async throws -> JobID {
        let id: JobID = Self.id()
        try await database.pool.execute(
            """
            INSERT INTO jobs (id, kind, lane, tag, user_id, payload, max_attempts, deadline_ms, created_at, run_at)
            VALUES (\(id), 'chat', 0, 0, \(user), '{}', 1, 1000, now(), now())
            """)
        return id
    }

    static func models(_ database: Database, _ providers: [EnvironmentProvider] = []) throws -> ModelStore {
        ModelStore(
            database: database,
            keyRing: KeyRing(current: try EncryptionKey(text: String(repeating: "k", count: 40))),
            environment: SystemModels(providers, startedAt: Timestamp(microsecondsSince1970: 0)) { _, _ in
                SystemModels.Traits(contextLimitTokens: 1000, supportsImages: false)
            })
    }

    static let modelFields = ModelFields(
        name: "mine", provider: .openAI, apiURL: "https://api.example.org/v1", model: "gpt-x", supportsImages: true,
        contextLimitTokens: 4096, maximumOutputTokens: 512, defaults: ["temperature": 0.5],
        prices: ModelPrices(inputPerMillion: 1, outputPerMillion: 2))
}

/// The code of the error that a body throws; `nil` when it throws none.
func code(of body: () async throws -> Void) async throws -> PersistenceError.Code? {
    do {
        try await body()
        return nil
    } catch let error as PersistenceError {
        return error.code
    }
}
