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

    /// Calls back for each event of a payload, in order. What cannot be parsed is skipped: the log has it, and
    /// the gap makes the reader look there.
    ///
    /// - Returns: the number of lines that could not be parsed.
    package static func decode(_ payload: String, _ body: (Arrival) -> Void) -> Int {
        var job: JobID?
        var lease: Int64 = 0
        var malformed = 0
        for line in Array(payload.utf8).split(separator: UInt8(ascii: "\n")) {
            if line.first == UInt8(ascii: "@") {
                let words = line.dropFirst().split(separator: UInt8(ascii: " "), maxSplits: 1)
                job = words.first.flatMap { JobID(String(decoding: $0, as: UTF8.self)) }
                lease = words.count == 2 ? Int64(String(decoding: words[1], as: UTF8.self)) ?? -1 : -1
                if job == nil || lease < 0 { malformed += 1 }
                continue
            }
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
            guard let job, lease >= 0, words.count >= 2,
                let sequence = Int32(String(decoding: words[0], as: UTF8.self)), sequence > 0,
                let kind = Int16(String(decoding: words[1], as: UTF8.self))
            else {
                malformed += 1
                continue
            }
            body(
                Arrival(
                    job: job, cursor: StreamCursor(lease: lease, sequence: sequence),
                    kind: StreamEventKind(rawValue: kind), data: words.count == 3 ? Array(words[2]) : nil))
        }
        return malformed
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
