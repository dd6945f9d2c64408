// SPDX-License-Identifier: Apache-2.0
import Glibc
import Postgres

/// What the server says about itself, on a connection of its own.
struct DatabaseProbe: Sendable {
    let connection: PostgresConnection

    /// Bytes of write-ahead log since the cluster was made.
    func walBytes() async throws -> Int64 {
        try await connection.query("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
            .decodeFirst(Int64.self) ?? 0
    }

    /// The server's first process, the parent of all its others.
    func postmaster() async throws -> pid_t? {
        let text = try await connection.query("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
            .decodeFirst(String.self)
        return text.flatMap { pid_t($0) }
    }

    /// Microseconds since 1970.
    func now() async throws -> Int64 {
        try await connection.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
            .decodeFirst(Int64.self) ?? 0
    }

    /// Worker processes that have ever registered.
    func workerCount() async throws -> Int {
        let count = try await connection.query("SELECT count(*) FROM workers").decodeFirst(Int64.self)
        return Int(count ?? 0)
    }
}
