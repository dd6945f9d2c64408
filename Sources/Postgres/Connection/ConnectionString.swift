// SPDX-License-Identifier: Apache-2.0
import CPostgres

/// Reads connection strings by libpq's own rules.
enum ConnectionString {
    /// The settings of `postgresql://user:password@host:port/database?sslmode=require` or `host=… dbname=…`.
    static func parse(_ text: String) throws(PostgresError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(text, &message) else {
            // The message quotes the string, which may hold a password: it is not kept.
            if let message = unsafe message { unsafe PQfreemem(message) }
            throw PostgresError(.invalidConfiguration, detail: "the connection string cannot be parsed")
        }
        defer { unsafe PQconninfoFree(options) }
        var settings: [String: String] = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                settings[unsafe String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return settings
    }
}
