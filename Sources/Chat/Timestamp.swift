// SPDX-License-Identifier: Apache-2.0

/// A moment of the database's clock, to the microsecond as PostgreSQL keeps it; clients see RFC 3339 with milliseconds.
///
/// Own arithmetic, because Foundation's formatters cost megabytes of memory in every process.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
    package let microsecondsSince1970: Int64

    /// From a database value or a clock.
    package init(microsecondsSince1970: Int64) {
        self.microsecondsSince1970 = microsecondsSince1970
    }

    /// From a clock of milliseconds.
    package init(millisecondsSince1970: Int64) {
        microsecondsSince1970 = millisecondsSince1970 * 1000
    }

    /// Rounded down to milliseconds, as clients see it.
    package var millisecondsSince1970: Int64 {
        microsecondsSince1970 >= 0 ? microsecondsSince1970 / 1000 : (microsecondsSince1970 - 999) / 1000
    }

    /// The earlier moment is less.
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsecondsSince1970 < right.microsecondsSince1970
    }

    /// A later moment, to the microsecond.
    package func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(
            microsecondsSince1970: microsecondsSince1970 + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}

extension Timestamp: LosslessStringConvertible {
    private static let millisecondsPerDay: Int64 = 86_400_000

    /// `2026-11-05T08:09:10.123Z`, rounded down to milliseconds.
    package var description: String {
        var day = millisecondsSince1970 / Self.millisecondsPerDay
        var rest = millisecondsSince1970 % Self.millisecondsPerDay
        if rest < 0 {
            day -= 1
            rest += Self.millisecondsPerDay
        }
        let date = Self.civilDate(daysSince1970: day)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
            + padded(rest / 3_600_000, 2) + ":" + padded(rest / 60_000 % 60, 2) + ":" + padded(rest / 1000 % 60, 2)
            + "." + padded(rest % 1000, 3) + "Z"
    }

    /// Parses RFC 3339 with any offset and up to nine digits of fraction, cut to microseconds. `nil` for what is no
    /// date, for leap seconds, and for a time without an offset.
    package init?(_ description: String) {
        let text = Array(description.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= text.count else { return nil }
            var value: Int64 = 0
            for byte in text[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        guard text.count >= 20, text[4] == 0x2D, text[7] == 0x2D, text[10] | 0x20 == 0x74, text[13] == 0x3A,
            text[16] == 0x3A, let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, year: year),
            hour < 24, minute < 60, second < 60
        else { return nil }

        var index = 19
        var fraction: Int64 = 0
        if text[index] == UInt8(ascii: ".") {
            let digits = text[(index + 1)...].prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count) else { return nil }
            let micro = Array(digits.prefix(6)) + Array(repeating: 0x30, count: max(0, 6 - digits.count))
            for byte in micro { fraction = fraction * 10 + Int64(byte - 0x30) }
            index += 1 + digits.count
        }
        guard index < text.count else { return nil }
        var offsetMinutes: Int64 = 0
        switch text[index] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            guard index + 1 == text.count else { return nil }
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard text.count == index + 6, text[index + 3] == 0x3A, let hours = number(index + 1..<index + 3),
                let minutes = number(index + 4..<index + 6), hours < 24, minutes < 60
            else { return nil }
            offsetMinutes = (hours * 60 + minutes) * (text[index] == UInt8(ascii: "-") ? -1 : 1)
        default: return nil
        }
        let seconds =
            Self.days(since1970To: year, month, day) * 86_400 + hour * 3600 + (minute - offsetMinutes) * 60 + second
        self.init(microsecondsSince1970: seconds * 1_000_000 + fraction)
    }
}

// Proleptic Gregorian dates by counting from 0000-03-01 in eras of 400 years, so that the leap day ends a year.
extension Timestamp {
    private static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func days(since1970To year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }
}
