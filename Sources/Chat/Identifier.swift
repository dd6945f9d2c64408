// SPDX-License-Identifier: Apache-2.0

/// A UUID that says what it names, so that a session's id cannot stand where a job's belongs.
///
/// Two words instead of text: compared, hashed and sent to the database without formatting. UUIDv7 ids sort by the time
/// they were made.
package struct Identifier<Tag>: Hashable, Sendable {
    /// The first eight bytes, big-endian.
    package let high: UInt64

    /// The last eight bytes, big-endian.
    package let low: UInt64

    /// From the two halves of the big-endian bytes.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Names a job.
package typealias JobID = Identifier<JobTag>
/// Names a message of a conversation.
package typealias MessageID = Identifier<MessageTag>
/// Names a session, that is a conversation.
package typealias SessionID = Identifier<SessionTag>
/// Names a person, who is also the tenant.
package typealias UserID = Identifier<UserTag>
/// Names a model configuration.
package typealias ModelID = Identifier<ModelTag>
/// Names an HTTP request in logs and answers.
package typealias RequestID = Identifier<RequestTag>
/// Names a worker process for as long as it lives.
package typealias WorkerID = Identifier<WorkerTag>
/// Names an uploaded file.
package typealias FileID = Identifier<FileTag>

/// Tag of ``JobID``; has no values.
package enum JobTag {}
/// Tag of ``MessageID``; has no values.
package enum MessageTag {}
/// Tag of ``SessionID``; has no values.
package enum SessionTag {}
/// Tag of ``UserID``; has no values.
package enum UserTag {}
/// Tag of ``ModelID``; has no values.
package enum ModelTag {}
/// Tag of ``RequestID``; has no values.
package enum RequestTag {}
/// Tag of ``WorkerID``; has no values.
package enum WorkerTag {}
/// Tag of ``FileID``; has no values.
package enum FileTag {}

extension Identifier: Comparable {
    /// Orders as PostgreSQL orders the `uuid` type: byte by byte.
    package static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension Identifier: LosslessStringConvertible {
    /// Parses the one accepted form, 8-4-4-4-12 hexadecimal digits in either case; anything else is `nil`.
    package init?(_ description: String) {
        guard description.utf8.count == 36 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for (index, byte) in description.utf8.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x37
            case 0x61...0x66: digit = byte - 0x57
            default: return nil
            }
            if digits < 16 {
                halves.0 = halves.0 << 4 | UInt64(digit)
            } else {
                halves.1 = halves.1 << 4 | UInt64(digit)
            }
            digits += 1
        }
        self.init(high: halves.0, low: halves.1)
    }

    /// The form clients see: 8-4-4-4-12 lower-case hexadecimal digits.
    package var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for half in [high, low] {
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(half >> UInt64(shift) & 0xF)
                text.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
                if text.count == 8 || text.count == 13 || text.count == 18 || text.count == 23 {
                    text.append(UInt8(ascii: "-"))
                }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
