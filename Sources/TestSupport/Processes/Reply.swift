// SPDX-License-Identifier: Apache-2.0
import JSON

/// What a client has of a reply: the fold of the frames by the rules that every client follows.
package struct Reply: Sendable {
    /// All frames, in order.
    package private(set) var frames: [EventFrame] = []
    /// The text in UTF-8.
    package private(set) var bytes: [UInt8] = []
    /// Where to take the stream up again.
    package private(set) var cursor: String?
    /// Breaches of the rules.
    package private(set) var violations: [String] = []
    private var position: (lease: UInt64, sequence: UInt64) = (0, 0)

    /// Nothing yet.
    package init() {}

    /// The text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
    /// Types in order, equal neighbours once; without titles, which may come between any two.
    package var shape: [String] {
        frames.map(\.event).filter { $0 != "title" }.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
    /// The last frame of this type.
    package func last(_ event: String) -> EventFrame? { frames.last { $0.event == event } }
    /// The reply's message.
    package var messageID: String { frames.first { $0.event == "start" }?["messageId"] ?? "" }
    /// Frames that have a cursor, as they were on the wire.
    package var logged: [String] { frames.filter { $0.id != nil }.map(\.text) }
    /// The last frame came.
    package var isOver: Bool { frames.last.map { ["complete", "error"].contains($0.event) } ?? false }

    /// Takes a frame in.
    package mutating func take(_ frame: EventFrame) {
        if isOver { violations.append("a frame after the last one: \(frame)") }
        if frame["type"] != frame.event { violations.append("type and event differ: \(frame)") }
        if let id = frame.id { advance(to: id) }
        frames.append(frame)
        switch frame.event {
        case "content": bytes += Array((frame["content"] ?? "").utf8)
        case "restart":
            let keep = frame.data["keep"]?.integerValue.map { Int($0) } ?? -1
            if keep < 0 || keep > bytes.count { violations.append("keeps what is not there: \(frame)") }
            bytes = Array(bytes.prefix(max(0, keep)))
        case "complete":
            let length = frame.data["contentLength"]?.integerValue
            if length != Int64(bytes.count) { violations.append("\(bytes.count) bytes, not as in: \(frame)") }
        default: break
        }
    }

    private mutating func advance(to id: String) {
        let parts = id.split(separator: ".").map { UInt64($0) }
        guard parts.count == 2, let lease = parts[0], let sequence = parts[1] else {
            return violations.append("no cursor: \(id)")
        }
        if (lease, sequence) <= position { violations.append("cursor \(id) after \(position)") }
        if lease == position.lease, sequence != position.sequence + 1 {
            violations.append("a gap before cursor \(id), after \(position)")
        }
        position = (lease, sequence)
        cursor = id
    }
}
