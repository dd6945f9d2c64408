// SPDX-License-Identifier: Apache-2.0

/// A value that travels as another: conforming needs two lines, and no knowledge of the wire.
///
/// An enumeration over `String` or an integer needs none: `extension JobState: PostgresConvertible {}`.
package protocol PostgresConvertible: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// What is sent and read.
    associatedtype PostgresRepresentation: PostgresEncodable & PostgresDecodable

    /// The value as it is sent.
    var postgresRepresentation: PostgresRepresentation { get }

    /// `nil` when no value has this representation, which the row reports as out of range.
    init?(postgresRepresentation: PostgresRepresentation)
}

extension PostgresConvertible {
    /// The representation's.
    package static var postgresType: PostgresType { PostgresRepresentation.postgresType }
    /// The representation's.
    package static var postgresArrayType: PostgresType { PostgresRepresentation.postgresArrayType }
    /// The representation's.
    package var isPostgresNull: Bool { postgresRepresentation.isPostgresNull }
    /// The representation's.
    package func encode(into writer: inout PostgresWriter) { postgresRepresentation.encode(into: &writer) }
    /// The representation's.
    package static func accepts(_ type: PostgresType) -> Bool { PostgresRepresentation.accepts(type) }
    /// By way of the representation.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Self {
        guard let value = Self(postgresRepresentation: try PostgresRepresentation.decode(bytes, as: type)) else {
            throw .outOfRange
        }
        return value
    }
}

extension PostgresConvertible where Self: RawRepresentable, RawValue: PostgresEncodable & PostgresDecodable {
    /// The raw value.
    package var postgresRepresentation: RawValue { rawValue }
    /// A raw value that no case has is `nil`.
    package init?(postgresRepresentation: RawValue) { self.init(rawValue: postgresRepresentation) }
}
