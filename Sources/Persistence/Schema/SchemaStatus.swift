// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Which migrations a database has, compared with those this program knows.
package struct SchemaStatus: Sendable, Hashable {
    /// A step that the database has, that this program knows, or both.
    package struct Step: Sendable, Hashable {
        /// Its number.
        package let number: Int
        /// Its name, as the database has it.
        package let name: String
        /// Whether programs that do not know it must not run.
        package let isBreaking: Bool
        /// `nil` when it is still to be applied.
        package let appliedAt: Timestamp?
        /// Whether this program knows it.
        package let isKnown: Bool
    }

    /// By number.
    package let steps: [Step]

    init(applied rows: PostgresRows?, known: [Migration]) throws(PersistenceError) {
        var applied: [Step] = []
        for row in rows.map(Array.init) ?? [] {
            var columns = ColumnReader(row)
            let number: Int = try columns.next()
            applied.append(
                Step(
                    number: number, name: try columns.next(), isBreaking: try columns.next(),
                    appliedAt: try columns.next(), isKnown: known.contains { $0.number == number }))
        }
        let missing = known.filter { step in !applied.contains { $0.number == step.number } }.map { step in
            Step(
                number: step.number, name: step.name, isBreaking: step.isBreaking, appliedAt: nil, isKnown: true)
        }
        steps = (applied + missing).sorted { $0.number < $1.number }
    }

    /// What ``Migrator/up(deadline:)`` would apply.
    package var pending: [Step] { steps.filter { $0.appliedAt == nil } }

    /// What a newer program has applied that this one cannot run on.
    package var incompatible: [Step] { steps.filter { !$0.isKnown && $0.isBreaking } }

    /// Whether this program can run on the database: nothing is missing, and nothing unknown breaks it.
    package var isCurrent: Bool { pending.isEmpty && incompatible.isEmpty }

    /// Reads it through the pool, for readiness. A database that was never migrated has nothing applied.
    package static func read(
        from database: Database, known: [Migration] = Migration.all
    ) async throws(PersistenceError) -> SchemaStatus {
        var rows: PostgresRows?
        do throws(PersistenceError) {
            rows = try await database.query(SchemaStatements.applied)
        } catch {
            guard error.isUndefinedTable else { throw error }
        }
        return try SchemaStatus(applied: rows, known: known)
    }

    /// For processes that start: refuses a database they must not run on.
    /// - Throws: `incompatible`, with what is missing or unknown.
    package func requireCurrent() throws(PersistenceError) {
        if let step = incompatible.first {
            throw PersistenceError(
                .incompatible,
                detail: "the database has migration \(step.number) of a newer version, which this one cannot run on")
        }
        if let step = pending.first {
            throw PersistenceError(
                .incompatible, detail: "the database lacks migration \(step.number); run 'switchyard migrate'")
        }
    }
}

extension PersistenceError {
    /// The statement named a table that does not exist.
    fileprivate var isUndefinedTable: Bool { underlying?.sqlState == "42P01" }
}
