// SPDX-License-Identifier: Apache-2.0

/// A media type such as `multipart/form-data; boundary=x`, parsed by RFC 9110, 8.3.
package struct MediaType: Sendable, Equatable {
    /// Lower case, such as `application`.
    package let type: String
    /// Lower case, such as `json`.
    package let subtype: String
    /// Lower-case names with their values as sent, unquoted; at most 16.
    package let parameters: [String: String]

    /// `type/subtype` without parameters, lower case: what routes compare.
    package var essence: String { "\(type)/\(subtype)" }

    /// Parses a `Content-Type` value.
    ///
    /// - Throws: `invalidMediaType` when it is not `token/token` with `name=value` parameters, each named once.
    package init(parsing text: String) throws(HTTPError) {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard let type = scanner.token(), scanner.take("/"), let subtype = scanner.token() else {
            throw HTTPError(.invalidMediaType, "A media type is written type/subtype.")
        }
        self.type = type.lowercased()
        self.subtype = subtype.lowercased()
        var parameters: [String: String] = [:]
        scanner.skipBlanks()
        while !scanner.isAtEnd {
            guard scanner.take(";") else { throw Self.malformedParameter }
            scanner.skipBlanks()
            if scanner.isAtEnd { break }
            guard let name = scanner.token()?.lowercased(), scanner.take("="),
                let value = scanner.quotedString() ?? scanner.token(), parameters[name] == nil, parameters.count < 16
            else { throw Self.malformedParameter }
            parameters[name] = value
            scanner.skipBlanks()
        }
        self.parameters = parameters
    }

    private static let malformedParameter = HTTPError(
        .invalidMediaType, "A media type's parameters are written name=value, each once.")
}

extension MediaType {
    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard position < bytes.count, bytes[position] == UInt8(ascii: scalar) else { return false }
            position += 1
            return true
        }

        mutating func skipBlanks() {
            while position < bytes.count, ASCII.isBlank(bytes[position]) { position += 1 }
        }

        mutating func token() -> String? {
            let start = position
            while position < bytes.count, ASCII.isToken(bytes[position]) { position += 1 }
            return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
        }

        /// The content of a quoted string; `nil` without one or with one that does not end, which the caller refuses.
        mutating func quotedString() -> String? {
            guard take("\"") else { return nil }
            var content: [UInt8] = []
            while position < bytes.count {
                var byte = bytes[position]
                position += 1
                if byte == UInt8(ascii: "\"") { return String(decoding: content, as: UTF8.self) }
                if byte == UInt8(ascii: "\\") {
                    guard position < bytes.count else { return nil }
                    byte = bytes[position]
                    position += 1
                }
                content.append(byte)
            }
            return nil
        }
    }
}
