// SPDX-License-Identifier: Apache-2.0
import Postgres

/// The record of migrations, and what they need of the server.
enum SchemaStatements {
    /// Held by the session that migrates, from before it looks until after its last step.
    static let lock: SQL = """
        SELECT pg_advisory_lock(723711797, 3)
        """

    /// Ends ``lock``.
    static let unlock: SQL = """
        SELECT pg_advisory_unlock(723711797, 3)
        """

    /// Under the lock: of two at once, one would fail on the catalogue's own index.
    static let createTable: SQL = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number     integer     PRIMARY KEY,
            name       text        NOT NULL,
            breaking   boolean     NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """

    /// Index: schema_migrations_pkey.
    static let applied: SQL = """
        SELECT number, name, breaking, applied_at FROM schema_migrations ORDER BY number
        """

    /// Version, whether letters outside of ASCII have cases, the encoding, whether pgvector could be installed.
    static let server: SQL = """
        SELECT current_setting('server_version_num')::integer, lower('Ä') = 'ä', getdatabaseencoding()::text,
               EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')
        """
}
