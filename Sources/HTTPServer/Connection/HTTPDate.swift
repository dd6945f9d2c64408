// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The `Date` field's text, made once a second.
struct HTTPDate {
    private var second = Int.min
    private var text: [UInt8] = []

    /// Such as `Sun, 06 Nov 1994 08:49:37 GMT`, for now.
    mutating func now() -> [UInt8] {
        let current = time(nil)
        if current != second {
            second = current
            text = Array(Self.text(secondsSince1970: current).utf8)
        }
        return text
    }

    /// The form of RFC 9110, 5.6.7, for years 1970 to 9999.
    static func text(secondsSince1970 seconds: Int) -> String {
        let days = seconds / 86_400
        let rest = seconds % 86_400
        // Days to a civil date by eras of 400 years that begin on 1 March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let clock = [rest / 3600, rest / 60 % 60, rest % 60].map(twoDigits).joined(separator: ":")
        return "\(weekdays[(days + 4) % 7]), \(twoDigits(day)) \(months[month - 1]) \(year) \(clock) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
