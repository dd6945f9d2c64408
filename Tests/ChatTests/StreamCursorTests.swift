// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StreamCursorTests {
    @Test(
        arguments: [
            ("0.0", 0, 0), ("0.1", 0, 1), ("1.0", 1, 0), ("12.345", 12, 345), ("10.10", 10, 10),
            ("9223372036854775807.2147483647", .max, .max),
        ] as [(String, Int64, Int32)])
    func `a cursor reads back as it was written`(text: String, lease: Int64, sequence: Int32) {
        let cursor = StreamCursor(text)
        #expect(cursor == StreamCursor(lease: lease, sequence: sequence))
        #expect(cursor?.description == text)
    }

    @Test(
        arguments: [
            "", ".", "1", "1.", ".1", "1.2.3", "1..2", "-1.2", "1.-2", "+1.2", "1.+2", " 1.2", "1.2 ", "1 .2", "1. 2",
            "01.2", "1.02", "00.0", "0.00", "1,2", "1.2\n", "0x1.2", "1e3.2", "a.b", "1.a", "１.２", "1.2\u{0}",
            "9223372036854775808.1", "1.2147483648", "1.9223372036854775808", "1.99999999999999999999999",
            "99999999999999999999999999999999999999.1", "null", "*",
        ])
    func `anything else is malformed`(text: String) {
        #expect(StreamCursor(text) == nil)
    }

    @Test func `cursors order by lease and then by sequence`() {
        let cursors = ["0.0", "0.1", "0.2", "1.0", "1.9", "1.10", "2.1", "10.1"].compactMap { StreamCursor($0) }
        #expect(cursors.count == 8)
        #expect(cursors.shuffled().sorted() == cursors)
        #expect(cursors[0] == .beginning)
        #expect(cursors[0].next == cursors[1])
        #expect(cursors[4].next == cursors[5])
        let last = StreamCursor(lease: 3, sequence: .max)
        #expect(last.next == last)
    }
}
