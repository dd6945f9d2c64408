// SPDX-License-Identifier: Apache-2.0

/// Sixteen bytes that travel as `uuid`. A type with these two halves conforms by an empty extension.
package protocol PostgresUUIDConvertible: PostgresConvertible where PostgresRepresentation == PostgresUUID {
    /// The first eight bytes, big-endian.
    var high: UInt64 { get }
    /// The last eight bytes, big-endian.
    var low: UInt64 { get }
    /// From the two halves.
    init(high: UInt64, low: UInt64)
}

extension PostgresUUIDConvertible {
    /// The same halves.
    package var postgresRepresentation: PostgresUUID { PostgresUUID(high: high, low: low) }
    /// Never `nil`.
    package init?(postgresRepresentation: PostgresUUID) {
        self.init(high: postgresRepresentation.high, low: postgresRepresentation.low)
    }
}

/// A `uuid` that has no type of its own.
package struct PostgresUUID: Hashable, Sendable {
    /// The first eight bytes, big-endian.
    package let high: UInt64
    /// The last eight bytes, big-endian.
    package let low: UInt64

    /// From the two halves.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension PostgresUUID: PostgresValue, PostgresArrayElement {
    /// `uuid`.
    package static var postgresType: PostgresType { .uuid }
    /// `uuid[]`.
    package static var postgresArrayType: PostgresType { .uuidArray }
    /// Sixteen bytes.
    package func encode(into writer: inout PostgresWriter) {
        writer.append(high)
        writer.append(low)
    }
    /// `uuid`.
    package static func accepts(_ type: PostgresType) -> Bool { type == .uuid }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> PostgresUUID {
        guard bytes.count == 16 else { throw .malformed }
        return PostgresUUID(high: bytes.integer(UInt64.self), low: bytes.integer(UInt64.self, at: 8))
    }
}
