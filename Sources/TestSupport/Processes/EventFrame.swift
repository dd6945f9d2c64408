// SPDX-License-Identifier: Apache-2.0
package import JSON

/// One event of a stream as it came.
package struct EventFrame: Sendable, CustomStringConvertible {
    /// The cursor; `nil` for events that have none.
    package let id: String?
    /// The event's name.
    package let event: String
    /// What it carries.
    package let data: JSONValue
    /// The block's bytes as text, without the blank line.
    package let text: String
    /// When the client had it.
    package let receivedAt: ContinuousClock.Instant

    /// `nil` for a block of comments.
    init?(_ text: String) throws {
        var (id, event, data): (String?, String, String?) = (nil, "message", nil)
        for line in text.split(separator: "\n") where !line.hasPrefix(":") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            var value = parts.count > 1 ? String(parts[1]) : ""
            if value.hasPrefix(" ") { value.removeFirst() }
            switch parts[0] {
            case "id": id = value
            case "event": event = value
            case "data": data = data.map { $0 + "\n" + value } ?? value
            default: break
            }
        }
        guard let data else { return nil }
        self.id = id
        self.event = event
        self.data = try JSONParser.parse(data)
        self.text = text
        receivedAt = .now
    }

    /// A text member of what it carries.
    package subscript(_ name: String) -> String? { data[name]?.stringValue }

    /// For the test's report.
    package var description: String { text }
}
