// SPDX-License-Identifier: Apache-2.0
import Chat
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

/// The statements of lists and paths on tables that are filled: which index each uses, and that none reads a table
/// from end to end. Under generic plans as well, which the server changes to after some executions.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct StatementPlanTests {
    private struct Case {
        let name: String
        let sql: SQL
        let indexes: [String]
    }

    /// 5000 users, of whom 200 have 50 sessions each; one session with a chain of 2000 messages among 40 000 others.
    private func fill(_ connection: PostgresConnection, user: UserID, session: SessionID, leaf: MessageID) async throws
    {
        try await connection.runScript(
            """
            INSERT INTO users (id, username, password_hash, role)
            SELECT gen_random_uuid(), 'u' || n, 'h', 'USER' FROM generate_series(1, 4999) n;
            INSERT INTO users (id, username, password_hash, role) VALUES ('\(user)', 'me', 'h', 'USER');
            INSERT INTO models (id, user_id, name, provider, api_url, model, supports_images, context_limit, defaults)
            SELECT gen_random_uuid(), u.id, 'm' || n, 'openai', '', 'x', false, 1, '{}'
            FROM (SELECT id FROM users LIMIT 200) u, generate_series(1, 20) n;
            INSERT INTO sessions (id, user_id, title, title_source, model_id, updated_at)
            SELECT gen_random_uuid(), u.id, 't', 'default', gen_random_uuid(), now() - n * interval '1 minute'
            FROM (SELECT id FROM users LIMIT 200) u, generate_series(1, 50) n;
            INSERT INTO sessions (id, user_id, title, title_source) VALUES ('\(session)', '\(user)', 't', 'default');
            INSERT INTO messages (id, user_id, session_id, role, content, status, job_id)
            SELECT gen_random_uuid(), s.user_id, s.id, 'user', repeat('x', 100), 'complete', gen_random_uuid()
            FROM sessions s, generate_series(1, 4) n;
            INSERT INTO messages (id, user_id, session_id, parent_id, role, content, status)
            SELECT ('\(leaf)'::uuid::text::uuid), '\(user)', '\(session)',
                   md5('1999')::uuid, 'user', 'leaf', 'complete';
            INSERT INTO messages (id, user_id, session_id, parent_id, role, content, status)
            SELECT md5(n::text)::uuid, '\(user)', '\(session)', CASE WHEN n > 1 THEN md5((n - 1)::text)::uuid END,
                   'user', 'text', 'complete'
            FROM generate_series(1, 1999) n;
            INSERT INTO running SELECT gen_random_uuid(), 1, gen_random_uuid(), 1, 0, false, now(), now()
            FROM generate_series(1, 5000);
            INSERT INTO usage (job, lease, call, user_id, session_id, message_id, model, provider, prompt_tokens,
                               context_limit, closed)
            SELECT gen_random_uuid(), 1, 1, s.user_id, s.id, gen_random_uuid(), 'm', 'p', 1, 1, true
            FROM sessions s, generate_series(1, 3) n;
            INSERT INTO refresh_tokens (hash, family, user_id, expires_at)
            SELECT sha256(n::text::bytea), gen_random_uuid(), '\(user)', now() + n * interval '1 minute'
            FROM generate_series(1, 20000) n;
            INSERT INTO idempotency_keys (user_id, route, key, body_hash, outcome, created_at)
            SELECT gen_random_uuid(), 'r', n::text, '', '', now() - n * interval '1 second'
            FROM generate_series(1, 20000) n;
            INSERT INTO rate_limits (kind, key, window_start, ends_at, maximum, used, granted)
            SELECT 1, gen_random_uuid(), now(), now() - n * interval '1 second', 9, 1, 1
            FROM generate_series(1, 20000) n;
            ANALYZE;
            """)
    }

    /// The plan for these values, or the one for any values.
    private func plan(of sql: SQL, isGeneric: Bool, _ connection: PostgresConnection) async throws -> String {
        guard isGeneric else {
            return try await connection.query("EXPLAIN \(fragment: sql)").decode(String.self).joined(separator: "\n")
        }
        try await connection.runScript("PREPARE probe AS \(sql.text)")
        let nulls = SQL.joined(sql.binds.map { _ in "NULL" as SQL }, separator: ", ")
        let plan = try await connection.query("EXPLAIN EXECUTE probe (\(fragment: nulls))").decode(String.self)
        try await connection.runScript("DEALLOCATE probe")
        return plan.joined(separator: "\n")
    }

    @Test(arguments: [false, true])
    func `lists and paths use their index`(isGeneric: Bool) async throws {
        let (user, session, leaf): (UserID, SessionID, MessageID) = (Fixture.id(), Fixture.id(), Fixture.id())
        let model: ModelID = Fixture.id()
        let key = IdempotencyKey(userID: user, route: "r", key: "k", bodyHash: [])
        let cases = [
            Case(
                name: "list sessions",
                sql: SessionStatements.list(
                    of: user, beforeTime: .infinity, beforeID: PostgresUUID(high: .max, low: .max), archived: nil,
                    limit: 21),
                indexes: ["sessions_user_updated"]),
            Case(
                name: "path",
                sql: MessageStatements.path(to: leaf, isExclusive: false, session: session, user: user, limit: 21),
                indexes: ["messages_pkey", "messages_session_parent"]),
            Case(
                name: "thread",
                sql: MessageStatements.thread(endingAt: leaf, user: user, maximumCount: 500, maximumBytes: 1 << 20),
                indexes: ["messages_pkey"]),
            Case(
                name: "threads of what was claimed", sql: ClaimedThreads.statement(worker: Fixture.id()),
                indexes: ["running_worker", "messages_job", "sessions_pkey", "messages_pkey"]),
            Case(
                name: "message", sql: MessageStatements.find(leaf, user: user),
                indexes: ["messages_pkey", "messages_session_parent"]),
            Case(
                name: "versions of watched sessions",
                sql: SessionWatchStatements.versions(of: [session], owners: [user]), indexes: ["sessions_pkey"]),
            Case(
                name: "changed messages",
                sql: SessionWatchStatements.messages([leaf], owners: [user], maximumBytes: 1000),
                indexes: ["messages_pkey", "messages_session_parent"]),
            Case(
                name: "message of a job", sql: MessageStatements.find(job: Fixture.id(), user: user),
                indexes: ["messages_job"]),
            Case(
                name: "session of a job's reply", sql: RetryStatements.touchSession(ofReplyOf: Fixture.id()),
                indexes: ["messages_job", "sessions_pkey"]),
            Case(
                name: "user by login", sql: UserStatements.find(login: "me"),
                indexes: ["users_username", "users_email"]),
            Case(
                name: "models", sql: ModelStatements.list(visibleTo: user), indexes: ["models_user_id_name_key"]),
            Case(
                name: "sessions of a model", sql: ModelStatements.countUses(model, owner: nil),
                indexes: ["sessions_model"]),
            Case(
                name: "usage totals", sql: UsageStatements.totals(of: session, user: user),
                indexes: ["usage_session"]),
            Case(
                name: "last round", sql: UsageStatements.lastRound(of: session, user: user),
                indexes: ["usage_session", "usage_pkey"]),
            Case(
                name: "current usage", sql: UsageStatements.current(of: session, user: user),
                indexes: ["usage_session"]),
            Case(
                name: "token", sql: RefreshTokenStatements.lock([1]), indexes: ["refresh_tokens_pkey"]),
            Case(
                name: "expired tokens", sql: RefreshTokenStatements.deleteExpired(limit: 100),
                indexes: ["refresh_tokens_expiry"]),
            Case(name: "idempotency key", sql: IdempotencyStatements.find(key), indexes: ["idempotency_keys_pkey"]),
            Case(
                name: "old idempotency keys", sql: IdempotencyStatements.deleteOld(hours: 5, limit: 100),
                indexes: ["idempotency_keys_created"]),
            Case(
                name: "old windows", sql: RateLimitStatements.deleteEnded(limit: 100), indexes: ["rate_limits_end"]),
        ]
        try await TestCluster.withDatabase(template: try await TestCluster.migratedTemplate()) { name in
            try await TestCluster.withConnection(to: name) { connection in
                try await fill(connection, user: user, session: session, leaf: leaf)
                try await connection.execute("SET plan_cache_mode = force_generic_plan")
                for test in cases {
                    let plan = try await plan(of: test.sql, isGeneric: isGeneric, connection)
                    for index in test.indexes {
                        #expect(
                            plan.contains("on \(index)") || plan.contains("using \(index)"), "\(test.name): \(plan)")
                    }
                    #expect(!plan.contains("Seq Scan"), "\(test.name): \(plan)")
                }
            }
        }
    }
}
