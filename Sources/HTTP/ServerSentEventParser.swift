// SPDX-License-Identifier: Apache-2.0

/// Reads a `text/event-stream` from chunks that may be cut anywhere, by the rules of the HTML standard.
///
/// LF, CRLF and CR end a line; a byte order mark at the start is skipped; comments and unknown fields are ignored; the
/// space after the colon is optional. A line or an event over the limits ends the parse, so a peer that never ends a
/// line costs a bounded amount of memory.
/// Cost: a line within one chunk is read in place; only a line cut by a chunk's end is copied.
package struct ServerSentEventParser: Sendable {
    private let maxLineBytes: Int
    private let maxEventBytes: Int
    private var partialLine: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    private var event: String?
    private var id: String?
    private var skipsLineFeed = false
    private var isAtStart = true

    /// The last cursor that was read, also from a block without data; survives events without one.
    package private(set) var lastEventID: String?
    /// The reconnection delay the peer asked for last.
    package private(set) var retryDelay: Duration?

    /// A parser at the start of a stream.
    ///
    /// - Parameters:
    ///   - maxLineBytes: for one line without its end.
    ///   - maxEventBytes: for the joined data of one event.
    package init(maxLineBytes: Int = 1 << 20, maxEventBytes: Int = 4 << 20) {
        self.maxLineBytes = maxLineBytes
        self.maxEventBytes = maxEventBytes
    }

    /// Reads a chunk and hands over every event that it completes, in order.
    ///
    /// - Throws: `eventTooLarge` once a limit is passed; the parser is of no use afterwards.
    package mutating func feed(
        _ chunk: Span<UInt8>, _ onEvent: (ServerSentEvent) -> Void
    ) throws(HTTPError) {
        var start = 0
        if skipsLineFeed, !chunk.isEmpty {
            skipsLineFeed = false
            if chunk[0] == 0x0A { start = 1 }
        }
        var index = start
        while index < chunk.count {
            let byte = chunk[index]
            guard byte == 0x0A || byte == 0x0D else {
                index += 1
                continue
            }
            try endLine(chunk.extracting(start..<index), onEvent)
            index += 1
            if byte == 0x0D {
                if index == chunk.count {
                    skipsLineFeed = true
                } else if chunk[index] == 0x0A {
                    index += 1
                }
            }
            start = index
        }
        if start < chunk.count { try keep(chunk.extracting(start..<chunk.count)) }
    }

    /// Reads a chunk that is an array and returns its events; for callers where convenience matters more than copies.
    package mutating func feed(_ chunk: [UInt8]) throws(HTTPError) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        try feed(chunk.span) { events.append($0) }
        return events
    }

    /// Ends the stream and returns an event whose closing empty line never came, which the standard would drop.
    ///
    /// Some providers close right after the last `data:` line; callers decide whether to trust such an event.
    package mutating func finish() throws(HTTPError) -> ServerSentEvent? {
        var last: ServerSentEvent?
        if !partialLine.isEmpty { try endLine([UInt8]().span) { last = $0 } }
        dispatch { last = $0 }
        return last
    }

    private mutating func keep(_ part: Span<UInt8>) throws(HTTPError) {
        guard partialLine.count + part.count <= maxLineBytes else {
            throw HTTPError(.eventTooLarge, "A line of the event stream is over the limit.")
        }
        for index in 0..<part.count { partialLine.append(part[index]) }
    }

    private mutating func endLine(_ rest: Span<UInt8>, _ onEvent: (ServerSentEvent) -> Void) throws(HTTPError) {
        guard !partialLine.isEmpty else {
            guard rest.count <= maxLineBytes else {
                throw HTTPError(.eventTooLarge, "A line of the event stream is over the limit.")
            }
            return try read(rest, onEvent)
        }
        try keep(rest)
        var line: [UInt8] = []
        swap(&line, &partialLine)
        try read(line.span, onEvent)
        line.removeAll(keepingCapacity: line.capacity <= 4096)
        swap(&line, &partialLine)
    }

    private mutating func read(_ rawLine: Span<UInt8>, _ onEvent: (ServerSentEvent) -> Void) throws(HTTPError) {
        var line = rawLine
        if isAtStart {
            isAtStart = false
            if line.count >= 3, line[0] == 0xEF, line[1] == 0xBB, line[2] == 0xBF {
                line = line.extracting(3..<line.count)
            }
        }
        guard !line.isEmpty else { return dispatch(onEvent) }
        var colon = 0
        while colon < line.count, line[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon > 0 else { return }
        var valueStart = min(colon + 1, line.count)
        if valueStart < line.count, line[valueStart] == 0x20 { valueStart += 1 }
        let value = line.extracting(valueStart..<line.count)
        if Self.isEqual(line, colon, "data") {
            try append(value)
        } else if Self.isEqual(line, colon, "event") {
            event = value.isEmpty ? nil : Self.text(value)
        } else if Self.isEqual(line, colon, "id") {
            let text = Self.text(value)
            guard !text.utf8.contains(0) else { return }
            id = text
            lastEventID = text
        } else if Self.isEqual(line, colon, "retry"), let milliseconds = UInt32(Self.text(value)) {
            retryDelay = .milliseconds(Int64(milliseconds))
        }
    }

    private mutating func append(_ value: Span<UInt8>) throws(HTTPError) {
        guard data.count + value.count + 1 <= maxEventBytes else {
            throw HTTPError(.eventTooLarge, "An event of the event stream is over the limit.")
        }
        if hasData { data.append(0x0A) }
        for index in 0..<value.count { data.append(value[index]) }
        hasData = true
    }

    private mutating func dispatch(_ onEvent: (ServerSentEvent) -> Void) {
        defer {
            event = nil
            id = nil
        }
        guard hasData else { return }
        hasData = false
        var content: [UInt8] = []
        swap(&content, &data)
        onEvent(ServerSentEvent(id: id, event: event, data: content))
    }

    private static func isEqual(_ line: Span<UInt8>, _ count: Int, _ name: String) -> Bool {
        guard count == name.utf8.count else { return false }
        var index = 0
        for byte in name.utf8 {
            guard line[index] == byte else { return false }
            index += 1
        }
        return true
    }

    private static func text(_ value: Span<UInt8>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.count)
        for index in 0..<value.count { bytes.append(value[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
