// SPDX-License-Identifier: Apache-2.0

/// One event of a `text/event-stream`.
package struct ServerSentEvent: Sendable, Equatable {
    /// The cursor this event carries; `nil` when it has none of its own.
    package var id: String?
    /// The event's name; `nil` means `message`.
    package var event: String?
    /// The content as bytes, usually UTF-8 JSON, with LF between its lines; not decoded because scanners take bytes.
    package var data: [UInt8]

    /// An event from its parts.
    package init(id: String? = nil, event: String? = nil, data: [UInt8]) {
        self.id = id
        self.event = event
        self.data = data
    }

    /// The bytes of a heartbeat: a comment, which no client takes for an event.
    package static let heartbeat: [UInt8] = Array(": ping\n\n".utf8)

    /// The event as it goes over the wire.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 32 + (id?.utf8.count ?? 0) + (event?.utf8.count ?? 0))
        Self.encode(id: id, event: event, data: data, into: &bytes)
        return bytes
    }

    /// Appends an event to a buffer, so that several can be sent as one batch.
    ///
    /// Every line of `data`, however it ends, becomes a `data:` line. Line ends and NUL in `id` and `event` are left
    /// out: they could otherwise forge further fields.
    package static func encode(
        id: String? = nil, event: String? = nil, data: [UInt8], into bytes: inout [UInt8]
    ) {
        if let id { encode(field: "id: ", id, into: &bytes) }
        if let event { encode(field: "event: ", event, into: &bytes) }
        bytes.append(contentsOf: "data: ".utf8)
        var previousIsCarriageReturn = false
        if hasLineEnd(data.span) {
            for byte in data {
                switch byte {
                case 0x0A where previousIsCarriageReturn: break
                case 0x0A, 0x0D: bytes.append(contentsOf: "\ndata: ".utf8)
                default: bytes.append(byte)
                }
                previousIsCarriageReturn = byte == 0x0D
            }
        } else {
            bytes.append(contentsOf: data)
        }
        bytes.append(0x0A)
        bytes.append(0x0A)
    }

    /// Every event of every stream comes by: over the span it costs a tenth of `contains(where:)`.
    private static func hasLineEnd(_ bytes: Span<UInt8>) -> Bool {
        for index in bytes.indices where bytes[index] == 0x0A || bytes[index] == 0x0D { return true }
        return false
    }

    private static func encode(field: StaticString, _ value: String, into bytes: inout [UInt8]) {
        bytes.append(contentsOf: field.description.utf8)
        if value.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) {
            bytes.append(contentsOf: value.utf8.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0 })
        } else {
            bytes.append(contentsOf: value.utf8)
        }
        bytes.append(0x0A)
    }
}
