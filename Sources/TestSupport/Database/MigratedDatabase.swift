// SPDX-License-Identifier: Apache-2.0
package import Testing

/// Gives a suite, or a single test, a migrated database of its own as ``TestDatabase/current``. The tests of a suite
/// share it and run at the same time: each makes its own users.
package struct MigratedDatabase: SuiteTrait, TestTrait, TestScoping {
    /// Around all tests of the suite, or around one case of a test.
    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        guard TestCluster.url != nil else { try Test.cancel("SWITCHYARD_TEST_DATABASE_URL is not set") }
        try await TestDatabase.withMigrated { database in
            try await TestDatabase.$current.withValue(database) { try await function() }
        }
    }
}

extension Trait where Self == MigratedDatabase {
    /// A migrated database of its own; without a server, the tests are cancelled.
    package static var migratedDatabase: MigratedDatabase { MigratedDatabase() }
}
