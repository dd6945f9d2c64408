// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// The payloads of channel `stream`: events of many jobs, packed inline so that a delta needs no read.
///
/// A payload is lines. `@<job> <lease>` says whose events follow; `<seq> <kind> <json>` is an event, and
/// `<seq> <kind>` a pointer to one that is too large for a payload: its reader takes it from the log. JSON on one
/// line holds no line feed. PostgreSQL allows payloads below 8000 bytes, of text without NUL.
package enum StreamNotification {
    /// The one channel, listened to by every API process from its start.
    package static let channel = "stream"
    /// Payloads stay below this.
    package static let maximumBytes = 7900

    /// Packs events, which must be grouped by job and in order within it.
    package static func encode(_ events: some Sequence<StampedEvent>) -> [String] {
        var packer = Packer()
        for stamped in events { packer.add(stamped) }
        return packer.finish()
    }

    /// One event as it arrives; `data` is nil for a pointer.
    package struct Arrival: Sendable, Hashable {
        /// Whose it is.
        package let job: JobID
        /// Its place.
        package let cursor: StreamCursor
        /// Unknown kinds of a newer version are nil and are relayed from the log.
        package let kind: StreamEventKind?
        /// JSON, or nil: read the row.
        package let data: [UInt8]?
    }

    /// Calls back for each event of a payload whose job is wanted, in order. What cannot be parsed is skipped: the log
    /// has it, and the gap makes the reader look there. Events of other jobs, which most are in a process that few
    /// look at, are not copied.
    ///
    /// - Returns: the number of lines that could not be parsed.
    package static func decode(
        _ payload: String, wants isWanted: (JobID) -> Bool = { _ in true }, _ body: (Arrival) -> Void
    ) -> Int {
        let bytes = Array(payload.utf8)
        var job: JobID?
        var isSkipped = false
        var lease: Int64 = 0
        var malformed = 0
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            defer { start = end + 1 }
            if start == end { continue }
            if bytes[start] == UInt8(ascii: "@") {
                (job, lease) = header(bytes[(start + 1)..<end])
                if job == nil || lease < 0 { malformed += 1 }
                isSkipped = job.map { !isWanted($0) } ?? false
                continue
            }
            if isSkipped { continue }
            var fields = DigitFields(bytes: bytes, position: start, end: end)
            guard let job, lease >= 0, let sequence = fields.next().flatMap({ Int32(exactly: $0) }), sequence > 0,
                let kind = fields.next().flatMap({ Int16(exactly: $0) })
            else {
                malformed += 1
                continue
            }
            body(
                Arrival(
                    job: job, cursor: StreamCursor(lease: lease, sequence: sequence),
                    kind: StreamEventKind(rawValue: kind),
                    data: fields.position <= end ? Array(bytes[fields.position..<end]) : nil))
        }
        return malformed
    }

    private static func header(_ line: ArraySlice<UInt8>) -> (JobID?, lease: Int64) {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
        let job = words.first.flatMap { JobID(String(decoding: $0, as: UTF8.self)) }
        return (job, words.count == 2 ? Int64(String(decoding: words[1], as: UTF8.self)) ?? -1 : -1)
    }

    /// Decimal numbers, each ended by a space or the line's end.
    private struct DigitFields {
        let bytes: [UInt8]
        /// Of the next field; beyond the end when there is none.
        var position: Int
        let end: Int

        /// The next number; nil for anything else.
        mutating func next() -> Int64? {
            let first = position
            var value: Int64 = 0
            while position < end, case let byte = bytes[position], byte != UInt8(ascii: " ") {
                // Eighteen digits fit; a longer number is none of ours.
                guard (0x30...0x39).contains(byte), position - first < 18 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
                position += 1
            }
            defer { position += 1 }
            return position > first ? value : nil
        }
    }

    private struct Packer {
        private var payloads: [String] = []
        private var current: [UInt8] = []
        private var owner: Lease?

        mutating func add(_ stamped: StampedEvent) {
            let cursor = stamped.event.cursor
            var line = Array("\(cursor.sequence) \(stamped.event.kind.rawValue)".utf8)
            let header = stamped.lease == owner ? [] : Array("@\(stamped.job) \(cursor.lease)\n".utf8)
            // A header is at most 58 bytes; an event that would not even fit alone is sent as a pointer.
            if line.count + 2 + stamped.event.data.count + 64 < StreamNotification.maximumBytes {
                line.append(UInt8(ascii: " "))
                line += stamped.event.data
            }
            line.append(UInt8(ascii: "\n"))
            if current.count + header.count + line.count >= StreamNotification.maximumBytes {
                flush()
                current += Array("@\(stamped.job) \(cursor.lease)\n".utf8)
            } else {
                current += header
            }
            owner = stamped.lease
            current += line
        }

        mutating func finish() -> [String] {
            flush()
            return payloads
        }

        private mutating func flush() {
            guard !current.isEmpty else { return }
            payloads.append(String(decoding: current, as: UTF8.self))
            current.removeAll(keepingCapacity: true)
            owner = nil
        }
    }
}
