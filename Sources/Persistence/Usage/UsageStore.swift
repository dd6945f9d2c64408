// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// The ledger of provider calls.
package struct UsageStore: Sendable {
    private let database: Database

    /// Without state of its own.
    package init(database: Database) { self.database = database }

    /// Writes down a call before it is made, so that a crash leaves an estimate instead of nothing.
    package func open(
        _ call: ProviderCall, promptTokens: Int, contextLimitTokens: Int
    ) async throws(PersistenceError) {
        try await database.execute(
            UsageStatements.open(call, promptTokens: promptTokens, contextLimitTokens: contextLimitTokens))
    }

    /// Writes down what a call has cost. A truth replaces an estimate however late it comes; an estimate replaces an
    /// estimate; nothing replaces a truth.
    /// - Returns: false when a truth was there already.
    @discardableResult
    package func close(_ call: ProviderCall, _ usage: Usage) async throws(PersistenceError) -> Bool {
        try await database.execute(UsageStatements.close(call, usage)) == 1
    }

    /// What `GET /api/chat/usage` tells. Zero for a session that the user does not have. Cost: one round trip.
    package func usage(of session: SessionID, user: UserID) async throws(PersistenceError) -> SessionUsage {
        let results = try await database.pipeline([
            UsageStatements.totals(of: session, user: user), UsageStatements.lastRound(of: session, user: user),
            UsageStatements.current(of: session, user: user),
        ])
        guard results.count == 3, let totalsRow = results[0].first else {
            throw PersistenceError(.internal, detail: "the totals have no row")
        }
        var columns = ColumnReader(totalsRow)
        let totals = SessionUsage.Totals(
            callCount: try columns.next(), promptTokens: try columns.next(), completionTokens: try columns.next(),
            isEstimated: try columns.next())
        return SessionUsage(
            totals: totals, lastRound: try Self.round(results[1]), current: try Self.current(results[2]))
    }

    private static func round(_ rows: PostgresRows) throws(PersistenceError) -> SessionUsage.Round? {
        guard let row = rows.first else { return nil }
        var columns = ColumnReader(row)
        let promptTokens: Int = try columns.next()
        let completionTokens: Int = try columns.next()
        let isEstimated: Bool = try columns.next()
        let usage = Usage(
            promptTokens: promptTokens, completionTokens: completionTokens, contextLimit: try columns.next(),
            isEstimated: isEstimated)
        let (model, provider): (String, String) = (try columns.next(), try columns.next())
        return SessionUsage.Round(usage: usage, createdAt: try columns.next(), model: model, provider: provider)
    }

    private static func current(_ rows: PostgresRows) throws(PersistenceError) -> SessionUsage.Current? {
        guard let row = rows.first else { return nil }
        var columns = ColumnReader(row)
        let (prompt, completion): (Int, Int) = (try columns.next(), try columns.next())
        let limit: Int = try columns.next()
        return SessionUsage.Current(
            promptTokens: prompt, contextLimit: limit, contextRemaining: max(0, limit - prompt - completion))
    }
}
