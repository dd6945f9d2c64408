// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// What a run writes of its reply before its end.
package struct ReplyStore: Sendable {
    private let database: Database

    /// Without state of its own.
    package init(database: Database) {
        self.database = database
    }

    /// The run begins: marks the reply and opens the ledger's row with the estimate, in one round trip.
    package func begin(
        _ message: MessageID, _ call: ProviderCall, promptTokens: Int, contextLimitTokens: Int
    ) async throws(PersistenceError) {
        do throws(PostgresError) {
            _ = try await database.pool.pipeline([
                // Not waited for on the disk: a crash of the database that takes it back takes the run's events too.
                DurabilityStatements.commitAsynchronously,
                ReplyStatements.begin(message, owner: call.userID, model: call.model, provider: call.provider),
                UsageStatements.open(call, promptTokens: promptTokens, contextLimitTokens: contextLimitTokens),
            ])
        } catch { throw PersistenceError(error) }
    }
}
