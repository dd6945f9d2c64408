// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// What a run writes of its reply before its end.
package struct ReplyStore: Sendable {
    private let database: Database
    private let onChange: SessionChangeHandler

    /// - Parameters:
    ///   - database: where the replies are.
    ///   - onChange: told of each reply that has begun, after the commit.
    package init(database: Database, onChange: @escaping SessionChangeHandler = { _ in }) {
        self.database = database
        self.onChange = onChange
    }

    /// The run begins: marks the reply and opens the ledger's row with the estimate, in one round trip.
    package func begin(
        _ message: MessageID, _ call: ProviderCall, promptTokens: Int, contextLimitTokens: Int
    ) async throws(PersistenceError) {
        do throws(PostgresError) {
            // Not waited for on the disk: a crash of the database that takes it back takes the run's events too.
            var statements = [DurabilityStatements.commitAsynchronously]
            if let session = call.sessionID {
                statements.append(ReplyStatements.raiseAtBegin(session, message: message, owner: call.userID))
            }
            statements.append(
                ReplyStatements.begin(message, owner: call.userID, model: call.model, provider: call.provider))
            statements.append(
                UsageStatements.open(call, promptTokens: promptTokens, contextLimitTokens: contextLimitTokens))
            let results = try await database.pool.pipeline(statements)
            if let session = call.sessionID, let version = try results[1].decodeFirst(Int64.self) {
                onChange(SessionChange(session: session, version: version, kind: .messages([message])))
            }
        } catch { throw PersistenceError(error) }
    }
}
