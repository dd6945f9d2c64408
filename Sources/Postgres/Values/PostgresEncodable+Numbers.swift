// SPDX-License-Identifier: Apache-2.0

extension Span<UInt8> {
    /// A big-endian integer at an offset; the caller has checked the length.
    func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int = 0) -> Value {
        var value: Value = 0
        for index in offset..<offset + MemoryLayout<Value>.size {
            value = value << 8 | Value(truncatingIfNeeded: self[index])
        }
        return value
    }
}

/// Reads any of the server's integers into one that may be wider or narrower.
private func decodeInteger<Value: FixedWidthInteger>(
    _ bytes: Span<UInt8>
) throws(PostgresDecodingFailure) -> Value {
    let wide: Int64
    switch bytes.count {
    case 8: wide = bytes.integer(Int64.self)
    case 4: wide = Int64(bytes.integer(Int32.self))
    case 2: wide = Int64(bytes.integer(Int16.self))
    default: throw .malformed
    }
    guard let value = Value(exactly: wide) else { throw .outOfRange }
    return value
}

extension Int16: PostgresValue, PostgresArrayElement {
    /// `int2`.
    package static var postgresType: PostgresType { .int2 }
    /// `int2[]`.
    package static var postgresArrayType: PostgresType { .int2Array }
    /// Two bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(self) }
    /// `int2`.
    package static func accepts(_ type: PostgresType) -> Bool { type == .int2 }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Int16 { try decodeInteger(bytes) }
}

extension Int32: PostgresValue, PostgresArrayElement {
    /// `int4`.
    package static var postgresType: PostgresType { .int4 }
    /// `int4[]`.
    package static var postgresArrayType: PostgresType { .int4Array }
    /// Four bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(self) }
    /// `int4` and narrower.
    package static func accepts(_ type: PostgresType) -> Bool { type == .int4 || type == .int2 }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Int32 { try decodeInteger(bytes) }
}

extension Int64: PostgresValue, PostgresArrayElement {
    /// `int8`.
    package static var postgresType: PostgresType { .int8 }
    /// `int8[]`.
    package static var postgresArrayType: PostgresType { .int8Array }
    /// Eight bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(self) }
    /// `int8`, narrower ones, and `oid`.
    package static func accepts(_ type: PostgresType) -> Bool {
        type == .int8 || type == .int4 || type == .int2 || type == .oid
    }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Int64 {
        type == .oid && bytes.count == 4 ? Int64(bytes.integer(UInt32.self)) : try decodeInteger(bytes)
    }
}

extension Int: PostgresValue, PostgresArrayElement {
    /// `int8`: what takes an `int4` (a function's argument) is given an `Int32`.
    package static var postgresType: PostgresType { .int8 }
    /// `int8[]`.
    package static var postgresArrayType: PostgresType { .int8Array }
    /// Eight bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(Int64(self)) }
    /// As `Int64`.
    package static func accepts(_ type: PostgresType) -> Bool { Int64.accepts(type) }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Int { Int(try Int64.decode(bytes, as: type)) }
}

extension Float: PostgresValue, PostgresArrayElement {
    /// `float4`.
    package static var postgresType: PostgresType { .float4 }
    /// `float4[]`, which casts to pgvector's `vector`.
    package static var postgresArrayType: PostgresType { .float4Array }
    /// Four bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(bitPattern) }
    /// `float4`.
    package static func accepts(_ type: PostgresType) -> Bool { type == .float4 }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Float {
        guard bytes.count == 4 else { throw .malformed }
        return Float(bitPattern: bytes.integer(UInt32.self))
    }
}

extension Double: PostgresValue, PostgresArrayElement {
    /// `float8`.
    package static var postgresType: PostgresType { .float8 }
    /// `float8[]`.
    package static var postgresArrayType: PostgresType { .float8Array }
    /// Eight bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(bitPattern) }
    /// `float8` and `float4`. Not `numeric`, which is exact: cast it in the statement.
    package static func accepts(_ type: PostgresType) -> Bool { type == .float8 || type == .float4 }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Double {
        switch bytes.count {
        case 8: return Double(bitPattern: bytes.integer(UInt64.self))
        case 4: return Double(Float(bitPattern: bytes.integer(UInt32.self)))
        default: throw .malformed
        }
    }
}

extension Bool: PostgresValue, PostgresArrayElement {
    /// `bool`.
    package static var postgresType: PostgresType { .bool }
    /// `bool[]`.
    package static var postgresArrayType: PostgresType { .boolArray }
    /// One byte.
    package func encode(into writer: inout PostgresWriter) { writer.append(UInt8(self ? 1 : 0)) }
    /// `bool`.
    package static func accepts(_ type: PostgresType) -> Bool { type == .bool }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> Bool {
        guard bytes.count == 1 else { throw .malformed }
        return bytes[0] != 0
    }
}
