// SPDX-License-Identifier: Apache-2.0

extension String: PostgresValue, PostgresArrayElement {
    /// `text`; where `jsonb` is wanted, bind a ``JSONText``.
    package static var postgresType: PostgresType { .text }
    /// `text[]`.
    package static var postgresArrayType: PostgresType { .textArray }
    /// UTF-8; U+0000 is refused.
    package func encode(into writer: inout PostgresWriter) { writer.append(text: self) }
    /// Every character type, `json` and `jsonb`. An enumeration or a domain of an extension is cast to text.
    package static func accepts(_ type: PostgresType) -> Bool {
        switch type {
        case .text, .varchar, .bpchar, .name, .json, .jsonb, .unknown, .char: true
        default: false
        }
    }
    /// Validated, one copy.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> String {
        do {
            if type == .jsonb {
                guard bytes.count > 0, bytes[0] == JSONText.version else { throw PostgresDecodingFailure.malformed }
                return String(copying: try UTF8Span(validating: bytes.extracting(1...)))
            }
            return String(copying: try UTF8Span(validating: bytes))
        } catch {
            throw .malformed
        }
    }
}

/// JSON as text, bound as `jsonb`; the server checks it. Reads `json` and `jsonb`.
package struct JSONText: Hashable, Sendable {
    /// The document, in UTF-8 when sent. U+0000 is refused, and so does the server refuse `\u0000` in `jsonb`.
    package let text: String

    /// Does not check the document.
    package init(_ text: String) { self.text = text }

    /// The byte before a `jsonb` document on the wire.
    static let version: UInt8 = 1
}

extension JSONText: PostgresValue, PostgresArrayElement {
    /// `jsonb`.
    package static var postgresType: PostgresType { .jsonb }
    /// `jsonb[]`.
    package static var postgresArrayType: PostgresType { .jsonbArray }
    /// A version byte and the text.
    package func encode(into writer: inout PostgresWriter) {
        writer.append(Self.version)
        writer.append(text: text)
    }
    /// `json` and `jsonb`.
    package static func accepts(_ type: PostgresType) -> Bool { type == .jsonb || type == .json }
    /// The document as the server renders it.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> JSONText { JSONText(try String.decode(bytes, as: type)) }
}
