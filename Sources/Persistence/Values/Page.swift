// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography

/// A part of a list and where the next one begins.
package struct Page<Item: Sendable, Cursor: Sendable>: Sendable {
    /// At most as many as asked for.
    package let items: [Item]
    /// `nil` at the end.
    package let nextCursor: Cursor?

    /// A page of whose end the caller knows.
    init(items: [Item], nextCursor: Cursor?) {
        self.items = items
        self.nextCursor = nextCursor
    }

    /// Cuts a list that was read with one row more than asked for, which tells whether there is a next page.
    init(rows: [Item], limit: Int, cursor: (Item) -> Cursor) {
        items = Array(rows.prefix(limit))
        nextCursor = rows.count > limit ? items.last.map(cursor) : nil
    }

    /// As above for a list that was read from its end and is shown oldest first: the next page lies above.
    init(upwards rows: [Item], limit: Int, cursor: (Item) -> Cursor) {
        let nearest = rows.prefix(limit)
        items = nearest.reversed()
        nextCursor = rows.count > limit ? nearest.last.map(cursor) : nil
    }
}

/// Where a list ordered by time goes on: after this row. Opaque to clients, base64url of 24 bytes; it holds nothing
/// that its reader has not seen, so it is not signed.
package struct TimeCursor: Sendable, Hashable, LosslessStringConvertible {
    /// The last row's time, to the microsecond, so that rows of one millisecond are not skipped.
    let time: Timestamp
    /// The last row's id.
    let high: UInt64
    let low: UInt64

    init<Tag>(time: Timestamp, id: Identifier<Tag>) {
        self.time = time
        high = id.high
        low = id.low
    }

    /// `nil` for what was not made here; clients are told 400.
    package init?(_ description: String) {
        guard description.utf8.count == 32 else { return nil }
        let bytes: [UInt8]
        do throws(CryptographyError) {
            bytes = try Base64URL.decode(description)
        } catch {
            return nil
        }
        guard bytes.count == 24 else { return nil }
        func word(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        time = Timestamp(microsecondsSince1970: Int64(bitPattern: word(0)))
        high = word(8)
        low = word(16)
    }

    /// What clients send back.
    package var description: String {
        var bytes: [UInt8] = []
        for word in [UInt64(bitPattern: time.microsecondsSince1970), high, low] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return Base64URL.encode(bytes)
    }
}
