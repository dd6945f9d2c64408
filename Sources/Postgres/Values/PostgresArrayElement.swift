// SPDX-License-Identifier: Apache-2.0

/// What arrays of can be sent and read, for `unnest` and `= ANY`. Elements may be optional.
///
/// A protocol of its own because `[UInt8]` is no array to the server but `bytea`.
package protocol PostgresArrayElement: Sendable {
    /// The type of `[Self]`.
    static var arrayType: PostgresType { get }
    /// The type of an array of `[Self]`, which the server does not tell from `[Self]` (but for `bytea`).
    static var nestedArrayType: PostgresType { get }
    /// Whether a column of this type is read as `[Self]`.
    static func arrayAccepts(_ type: PostgresType) -> Bool
    /// Appends the binary form of `[Self]`.
    static func encodeArray(_ elements: [Self], into writer: inout PostgresWriter)
    /// Reads `[Self]`.
    static func decodeArray(_ bytes: Span<UInt8>, as type: PostgresType) throws(PostgresDecodingFailure) -> [Self]
}

extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    /// The server's array type.
    package static var arrayType: PostgresType { postgresArrayType }
    /// The server's array type.
    package static var nestedArrayType: PostgresType { postgresArrayType }
    /// The server's array type.
    package static func arrayAccepts(_ type: PostgresType) -> Bool { type == postgresArrayType }

    /// One dimension, lower bound 1; no dimension when empty.
    package static func encodeArray(_ elements: [Self], into writer: inout PostgresWriter) {
        writer.append(Int32(elements.isEmpty ? 0 : 1))
        writer.append(Int32(elements.contains { $0.isPostgresNull } ? 1 : 0))
        writer.append(postgresType.oid)
        guard !elements.isEmpty else { return }
        guard elements.count <= Int(Int32.max) else { return writer.refuse(.outOfRange) }
        writer.append(Int32(elements.count))
        writer.append(Int32(1))
        for element in elements { writer.appendSized(element) }
    }

    /// One dimension; more is malformed.
    package static func decodeArray(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> [Self] {
        guard bytes.count >= 12 else { throw .malformed }
        let dimensions = bytes.integer(Int32.self)
        let elementType = PostgresType(oid: bytes.integer(UInt32.self, at: 8))
        guard accepts(elementType) else { throw .type(elementType) }
        if dimensions == 0 { return [] }
        guard dimensions == 1, bytes.count >= 20 else { throw .malformed }
        let count = Int(bytes.integer(Int32.self, at: 12))
        // Each element has a length of four bytes: a count beyond that is a lie, not a reason to allocate.
        guard count >= 0, count <= (bytes.count - 20) / 4 else { throw .malformed }
        var elements: [Self] = []
        elements.reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            guard offset + 4 <= bytes.count else { throw .malformed }
            let length = Int(bytes.integer(Int32.self, at: offset))
            offset += 4
            if length < 0 {
                guard let null = postgresNull else { throw .null }
                elements.append(null)
                continue
            }
            guard length <= bytes.count - offset else { throw .malformed }
            elements.append(try decode(bytes.extracting(offset..<offset + length), as: elementType))
            offset += length
        }
        return elements
    }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresEncodable & PostgresDecodable {}

extension UInt8: PostgresArrayElement {
    /// `bytea`.
    package static var arrayType: PostgresType { .bytea }
    /// `bytea[]`.
    package static var nestedArrayType: PostgresType { .byteaArray }
    /// `bytea`.
    package static func arrayAccepts(_ type: PostgresType) -> Bool { type == .bytea }
    /// The bytes themselves.
    package static func encodeArray(_ elements: [UInt8], into writer: inout PostgresWriter) {
        writer.append(contentsOf: elements)
    }
    /// One copy.
    package static func decodeArray(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> [UInt8] {
        unsafe bytes.withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    /// The element's array type; `bytea` for bytes.
    package static var postgresType: PostgresType { Element.arrayType }
    /// The same, or `bytea[]` for bytes.
    package static var postgresArrayType: PostgresType { Element.nestedArrayType }
    /// The array's header and its elements.
    package func encode(into writer: inout PostgresWriter) { Element.encodeArray(self, into: &writer) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    /// The element's array type; `bytea` for bytes.
    package static func accepts(_ type: PostgresType) -> Bool { Element.arrayAccepts(type) }
    /// All elements.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> [Element] { try Element.decodeArray(bytes, as: type) }
}

/// `bytea[]`; arrays of other arrays do not exist.
extension Array: PostgresArrayElement where Element == UInt8 {}
