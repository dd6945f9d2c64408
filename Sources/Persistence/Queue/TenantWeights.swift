// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Which tenants get more or less of a lane than others, where several have jobs in it. All others have a weight of 1.
///
/// A change counts for jobs that come into line after it; what is in line keeps its place.
package struct TenantWeights: Sendable {
    /// What a weight can be.
    package static let range = 0.01...10.0
    /// The most that are listed: more than anybody sets by hand.
    package static let maximumListed = 10_000

    /// One that was set.
    package struct Entry: Sendable, Hashable {
        /// Whose it is.
        package let user: UserID
        /// Within ``TenantWeights/range``.
        package let weight: Double
    }

    private let database: Database

    /// Holds nothing: each call is one statement.
    package init(database: Database) { self.database = database }

    /// Those that were set, by user, at most ``maximumListed``.
    package func all() async throws(PersistenceError) -> [Entry] {
        var entries: [Entry] = []
        for row in try await database.query(WeightStatements.all(limit: Int32(Self.maximumListed))) {
            var columns = ColumnReader(row)
            entries.append(Entry(user: try columns.next(), weight: try columns.next()))
        }
        return entries
    }

    /// Gives a user a weight.
    ///
    /// - Throws: `notFound` when there is no such user; `internal` for a weight out of ``range``.
    package func set(_ weight: Double, for user: UserID) async throws(PersistenceError) {
        guard Self.range.contains(weight) else {
            throw PersistenceError(.internal, detail: "a weight out of its bounds")
        }
        guard try await database.execute(WeightStatements.set(weight, for: user)) == 1 else {
            throw PersistenceError(.notFound)
        }
    }

    /// Takes a user's weight back to 1, also that of a user who is gone.
    package func reset(_ user: UserID) async throws(PersistenceError) {
        try await database.execute(WeightStatements.reset(user))
    }
}
