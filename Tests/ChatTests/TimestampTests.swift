// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func `a moment is RFC 3339 with milliseconds and reads back`(milliseconds: Int64, text: String) {
        let moment = Timestamp(millisecondsSince1970: milliseconds)
        #expect(moment.description == text)
        #expect(Timestamp(text) == moment)
        #expect(moment.millisecondsSince1970 == milliseconds)
    }

    @Test(
        arguments: [
            ("2023-11-14T22:13:20Z", 1_700_000_000_000_000), ("2023-11-14t22:13:20z", 1_700_000_000_000_000),
            ("2023-11-14T23:43:20+01:30", 1_700_000_000_000_000), ("2023-11-14T17:13:20-05:00", 1_700_000_000_000_000),
            ("2023-11-14T22:13:20.5Z", 1_700_000_000_500_000), ("2023-11-14T22:13:20.123456Z", 1_700_000_000_123_456),
            ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456),
        ] as [(String, Int64)])
    func `other spellings of RFC 3339 are taken`(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microsecondsSince1970 == microseconds)
    }

    @Test(
        arguments: [
            "", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2023-04-31T00:00:00Z", "2023-01-00T00:00:00Z",
            "2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z", "2023-01-01T00:00:60Z", "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00.1234567890Z", "2023-01-01T00:00:00+1:00", "2023-01-01T00:00:00+24:00",
            "2023-01-01T00:00:00ZZ",
            "-023-01-01T00:00:00Z", "2023-01-01T00:00:00.5",
        ])
    func `what is no moment is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `every day of four centuries reads back`() {
        for day in stride(from: Int64(-80_000), through: 80_000, by: 1) {
            let moment = Timestamp(millisecondsSince1970: day * 86_400_000 + 12_345)
            #expect(Timestamp(moment.description) == moment)
        }
    }

    @Test func `moments are ordered and move by durations`() {
        let moment = Timestamp(microsecondsSince1970: 1_999)
        #expect(moment.millisecondsSince1970 == 1)
        #expect(moment.advanced(by: .milliseconds(-3)).microsecondsSince1970 == -1_001)
        #expect(moment.advanced(by: .milliseconds(-3)).millisecondsSince1970 == -2)
        #expect(moment.advanced(by: .seconds(1)) > moment)
    }
}
