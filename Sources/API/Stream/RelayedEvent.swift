// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
package import Jobs

/// An event on its way to readers, with the frame they all share.
package struct RelayedEvent: Sendable {
    let event: LoggedEvent
    /// `id`, `event` and `data` as they go over the wire.
    package let frame: [UInt8]

    var cursor: StreamCursor { event.cursor }

    /// Makes the frame; see ``LoggedEvent``.
    package init(_ event: LoggedEvent) {
        self.event = event
        var frame: [UInt8] = []
        frame.reserveCapacity(event.data.count + 64)
        ServerSentEvent.encode(
            id: event.cursor.description, event: Self.name(of: event), data: event.data, into: &frame)
        self.frame = frame
    }

    private static let typePrefix = Array(#"{"type":""#.utf8)

    /// The type that the data begins with: right also for kinds that a newer version writes and this one does not know.
    private static func name(of event: LoggedEvent) -> String {
        let data = event.data
        guard data.starts(with: typePrefix),
            let end = data[typePrefix.count...].prefix(33).firstIndex(of: UInt8(ascii: "\""))
        else { return event.kind.name }
        if data[typePrefix.count..<end].elementsEqual(event.kind.name.utf8) { return event.kind.name }
        return String(decoding: data[typePrefix.count..<end], as: UTF8.self)
    }
}
