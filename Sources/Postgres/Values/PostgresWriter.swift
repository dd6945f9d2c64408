// SPDX-License-Identifier: Apache-2.0

/// Gathers the binary form of a statement's values in one buffer: no allocation a value.
package struct PostgresWriter: Sendable {
    /// Why a value cannot be sent at all.
    enum Refusal: Sendable, Equatable {
        case nulInText
        case outOfRange
    }

    private(set) var bytes: [UInt8] = []
    private(set) var refusal: Refusal?

    /// Big-endian, as everything on the wire.
    package mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        unsafe withUnsafeBytes(of: value.bigEndian) { raw in unsafe bytes.append(contentsOf: raw) }
    }

    /// Verbatim.
    package mutating func append(contentsOf more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// UTF-8. PostgreSQL stores no U+0000: the statement is refused before anything is sent.
    package mutating func append(text: String) {
        let start = bytes.count
        bytes.append(contentsOf: text.utf8)
        if bytes[start...].contains(0) { refuse(.nulInText) }
    }

    /// Makes the whole statement fail with `invalidStatement`, because `encode` itself cannot throw.
    mutating func refuse(_ reason: Refusal) {
        if refusal == nil { refusal = reason }
    }

    /// Writes a value with its length in front, as elements of an array are.
    mutating func appendSized(_ value: some PostgresEncodable) {
        guard !value.isPostgresNull else { return append(Int32(-1)) }
        let start = bytes.count
        append(Int32(0))
        value.encode(into: &self)
        patch(Int32(clamping: bytes.count - start - 4), at: start)
    }

    private mutating func patch(_ length: Int32, at start: Int) {
        for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> Int32(24 - 8 * index)) }
    }
}
