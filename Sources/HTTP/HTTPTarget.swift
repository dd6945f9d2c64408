// SPDX-License-Identifier: Apache-2.0

/// A request target, split first and decoded afterwards, so that an encoded `/` or `&` never separates anything.
///
/// Decoding is strict: a broken escape, bytes that are not UTF-8, U+0000 and dot segments are refused, because two
/// programs that read them differently are how paths are smuggled past a proxy.
package struct HTTPTarget: Sendable, Equatable {
    /// One `name=value` of the query; a name without `=` has an empty value.
    package struct QueryItem: Sendable, Equatable {
        /// Decoded.
        package let name: String
        /// Decoded; `+` is a space, as browsers' forms write it.
        package let value: String
    }

    /// The path as sent, still encoded, without the query; `*` for the whole server.
    package let rawPath: String
    /// The decoded parts between the slashes; empty for `/`, with a last empty one after a trailing slash.
    package let segments: [String]
    /// The decoded query in order.
    package let query: [QueryItem]

    /// Parses the origin form (`/path?query`), the absolute form (`http://host/path?query`, the host is dropped) or `*`.
    ///
    /// - Throws: `invalidTarget` on anything else, a fragment, a byte outside printable ASCII or a broken escape.
    package init(parsing bytes: some Collection<UInt8>) throws(HTTPError) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw HTTPError(.invalidTarget, "The request target holds bytes that must be percent-encoded.")
        }
        if bytes == [UInt8(ascii: "*")] {
            rawPath = "*"
            segments = ["*"]
            query = []
            return
        }
        let origin = try Self.originForm(bytes[...])
        let mark = origin.firstIndex(of: UInt8(ascii: "?"))
        let path = origin[..<(mark ?? origin.endIndex)]
        rawPath = String(decoding: path, as: UTF8.self)
        segments = try Self.decodeSegments(path)
        query = try mark.map { (mark) throws(HTTPError) in try Self.decodeQuery(origin[(mark + 1)...]) } ?? []
    }

    /// The value of the first query item of that name.
    package func queryValue(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    private static func originForm(_ bytes: ArraySlice<UInt8>) throws(HTTPError) -> ArraySlice<UInt8> {
        if bytes.first == UInt8(ascii: "/") { return bytes }
        for scheme in ["http://", "https://"] where bytes.count > scheme.utf8.count {
            let prefix = bytes.prefix(scheme.utf8.count)
            guard zip(prefix, scheme.utf8).allSatisfy({ ASCII.lowercased($0) == $1 }) else { continue }
            let rest = bytes.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            guard end > rest.startIndex else { break }
            let origin = rest[end...]
            return origin.first == UInt8(ascii: "/") ? origin : [UInt8(ascii: "/")] + origin
        }
        throw HTTPError(.invalidTarget, "The request target must begin with a slash.")
    }

    private static func decodeSegments(_ path: ArraySlice<UInt8>) throws(HTTPError) -> [String] {
        let encoded = path.dropFirst()
        guard !encoded.isEmpty else { return [] }
        var segments: [String] = []
        for part in encoded.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            let segment = try decode(part, plusIsSpace: false)
            guard segment != ".", segment != ".." else {
                throw HTTPError(.invalidTarget, "The request target must not hold dot segments.")
            }
            segments.append(segment)
        }
        return segments
    }

    private static func decodeQuery(_ text: ArraySlice<UInt8>) throws(HTTPError) -> [QueryItem] {
        var items: [QueryItem] = []
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try decode(pair[..<equals], plusIsSpace: true)
            let value = try decode(pair[equals...].dropFirst(), plusIsSpace: true)
            items.append(QueryItem(name: name, value: value))
        }
        return items
    }

    private static func decode(_ encoded: ArraySlice<UInt8>, plusIsSpace: Bool) throws(HTTPError) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(encoded.count)
        var index = encoded.startIndex
        while index < encoded.endIndex {
            let byte = encoded[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < encoded.endIndex, let high = ASCII.hexValue(encoded[index + 1]),
                    let low = ASCII.hexValue(encoded[index + 2])
                else { throw HTTPError(.invalidTarget, "The request target holds a broken percent escape.") }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        guard !decoded.contains(0), let text = String(validating: decoded, as: UTF8.self) else {
            throw HTTPError(.invalidTarget, "The request target is not valid UTF-8 text.")
        }
        return text
    }
}
