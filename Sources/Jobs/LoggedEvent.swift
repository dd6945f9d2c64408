// SPDX-License-Identifier: Apache-2.0
package import Chat

/// One row of the token log: an event with its place, already encoded, relayed without another look.
package struct LoggedEvent: Sendable, Hashable {
    /// Lease, then sequence: the order of the stream, and what a reader resumes after.
    package let cursor: StreamCursor
    /// The SSE frame's `event:`; tells the end of a stream without parsing ``data``.
    package let kind: StreamEventKind
    /// JSON on one line, as the SSE frame's `data:`.
    package let data: [UInt8]

    /// See the properties.
    package init(cursor: StreamCursor, kind: StreamEventKind, data: [UInt8]) {
        self.cursor = cursor
        self.kind = kind
        self.data = data
    }

    /// Encodes an event for a place in the log.
    package init(_ event: StreamEvent, at cursor: StreamCursor) {
        self.init(cursor: cursor, kind: event.kind, data: event.json)
    }
}
