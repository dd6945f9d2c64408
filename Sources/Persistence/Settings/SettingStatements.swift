// SPDX-License-Identifier: Apache-2.0
import Postgres

/// The system's settings: one row, one document, of which only what differs from the environment is stored.
enum SettingStatements {
    /// Index: system_settings_pkey.
    static let read: SQL = """
        SELECT value FROM system_settings WHERE singleton
        """

    /// Lays a document over the stored one; a null takes a member away. One statement, so that two changes of
    /// different members at once both hold. Index: system_settings_pkey.
    static func merge(_ document: String) -> SQL {
        """
        INSERT INTO system_settings AS s (value) VALUES (jsonb_strip_nulls(\(document)::text::jsonb)::text)
        ON CONFLICT (singleton) DO UPDATE
        SET value = jsonb_strip_nulls(s.value::jsonb || \(document)::text::jsonb)::text, updated_at = now()
        RETURNING value
        """
    }
}
