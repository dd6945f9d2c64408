// SPDX-License-Identifier: Apache-2.0

/// What may stand in `\( )` of an ``SQL`` literal: becomes `$n`, sent in binary form under a fixed type.
package protocol PostgresEncodable: Sendable {
    /// The type the server is told. It depends on the Swift type alone, so that a statement is prepared once.
    static var postgresType: PostgresType { get }

    /// The type of an array of these.
    static var postgresArrayType: PostgresType { get }

    /// Whether SQL's NULL is sent instead of bytes; only `Optional` answers yes.
    var isPostgresNull: Bool { get }

    /// Appends the type's binary form, without its length.
    func encode(into writer: inout PostgresWriter)
}

extension PostgresEncodable {
    /// Values are present unless they are optional.
    package var isPostgresNull: Bool { false }
}

/// What a column can be read as.
package protocol PostgresDecodable: Sendable {
    /// Whether a column of this type holds such values; asked once a cell, so keep it to comparisons.
    static func accepts(_ type: PostgresType) -> Bool

    /// What NULL is read as; nil makes NULL an error.
    static var postgresNull: Self? { get }

    /// Reads the binary form. The bytes live only during the call.
    static func decode(_ bytes: Span<UInt8>, as type: PostgresType) throws(PostgresDecodingFailure) -> Self
}

extension PostgresDecodable {
    /// NULL is an error unless the value is optional.
    package static var postgresNull: Self? { nil }
}

/// Goes both ways.
package typealias PostgresValue = PostgresEncodable & PostgresDecodable

/// Why bytes are not a value; the row adds the column.
package enum PostgresDecodingFailure: Error, Sendable, Hashable {
    /// NULL where no optional was asked for.
    case null
    /// The column's type is not one the value is read from.
    case type(PostgresType)
    /// The bytes are not the binary form of the type.
    case malformed
    /// A right value that the Swift type cannot hold.
    case outOfRange
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// That of the wrapped value.
    package static var postgresType: PostgresType { Wrapped.postgresType }
    /// That of the wrapped value.
    package static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
    /// `nil` is NULL.
    package var isPostgresNull: Bool {
        switch self {
        case .none: true
        case .some(let value): value.isPostgresNull
        }
    }
    /// Nothing for `nil`.
    package func encode(into writer: inout PostgresWriter) { self?.encode(into: &writer) }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// That of the wrapped value.
    package static func accepts(_ type: PostgresType) -> Bool { Wrapped.accepts(type) }
    /// NULL is `nil`.
    package static var postgresNull: Wrapped?? { .some(.none) }
    /// The wrapped value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Wrapped? {
        .some(try Wrapped.decode(bytes, as: type))
    }
}
