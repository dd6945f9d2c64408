// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

/// An answer, taken apart.
struct APIAnswer: CustomStringConvertible {
    let status: Int
    let fields: [String: String]
    let text: String
    /// `nil` when the body is no JSON.
    let json: JSONValue?

    var description: String { "\(status) \(text)" }

    /// What success carries.
    var data: JSONValue { json?["data"] ?? .null }
    /// The machine word of an error.
    var code: String? { json?["code"]?.stringValue }
    /// The fields that were refused, in order.
    var wrongFields: [String] { json?["details"]?.arrayValue?.compactMap { $0["field"]?.stringValue } ?? [] }
    /// The id of what was made or shown.
    var id: String { data["id"]?.stringValue ?? "" }

    init(parsing bytes: [UInt8]) throws {
        let whole = String(decoding: bytes, as: UTF8.self)
        let separator = try #require(whole.utf8.firstRange(of: "\r\n\r\n".utf8))
        let head = try #require(String(whole.utf8[..<separator.lowerBound]))
        let lines = head.split(separator: "\r\n")
        status = try #require(Int(lines[0].split(separator: " ")[1]))
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        self.fields = fields
        text = try #require(String(whole.utf8[separator.upperBound...]))
        let isJSON = fields["content-type"]?.hasPrefix("application/json") == true
        json = isJSON && !text.isEmpty ? try JSONParser.parse(text) : nil
    }
}
