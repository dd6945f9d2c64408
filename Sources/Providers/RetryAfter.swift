// SPDX-License-Identifier: Apache-2.0
import HTTP

/// How long a provider asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date.
enum RetryAfter {
    /// At least a millisecond. `nil` without a header that can be understood, and where it says 0 or a date that has
    /// passed: taken by its word, the next call would go out at once, for ever. `now` is in seconds since 1970; a date
    /// counts from the answer's own where it has one, because the provider's clock need not be ours.
    static func duration(in fields: HTTPFields, now: Int64) -> Duration? {
        if let text = fields["retry-after-ms"], let milliseconds = Double(text), milliseconds >= 1 {
            return .milliseconds(min(milliseconds, 1e12))
        }
        guard let text = fields[.retryAfter] else { return nil }
        if let seconds = Double(text), seconds >= 0.001 { return .seconds(min(seconds, 1e9)) }
        guard let end = seconds(ofDate: text) else { return nil }
        let wait = end - (fields[.date].flatMap(seconds(ofDate:)) ?? now)
        return wait > 0 ? .seconds(wait) : nil
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970; the obsolete forms are nobody's any more.
    static func seconds(ofDate text: String) -> Int64? {
        let parts = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[0].hasSuffix(","), parts[5] == "GMT", let day = Int64(parts[1]),
            let month = months.firstIndex(of: String(parts[2])), let year = Int64(parts[3]), year >= 1970, year < 10_000
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3, (1...31).contains(day), (0..<24).contains(clock[0]), (0..<60).contains(clock[1]),
            (0...60).contains(clock[2])
        else { return nil }
        return days(year, Int64(month) + 1, day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    /// `2026-11-26T08:49:37Z`, with a fraction or an offset where there is one, in seconds since 1970.
    static func seconds(ofTimestamp text: String) -> Double? {
        let halves = text.split(separator: "T")
        guard halves.count == 2, let end = halves[1].firstIndex(where: { "Zz+-".contains($0) }) else { return nil }
        let date = halves[0].split(separator: "-").compactMap { Int64($0) }
        let clock = halves[1][..<end].split(separator: ":").compactMap { Double($0) }
        guard date.count == 3, clock.count == 3, (1970..<10_000).contains(date[0]), (1...12).contains(date[1]),
            (1...31).contains(date[2]), clock.allSatisfy({ (0..<61).contains($0) })
        else { return nil }
        let zone = halves[1][end...].dropFirst().split(separator: ":").compactMap { Double($0) }
        guard zone.isEmpty || (zone.count == 2 && zone.allSatisfy { (0..<60).contains($0) }) else { return nil }
        let offset = zone.isEmpty ? 0 : (zone[0] * 3600 + zone[1] * 60) * (halves[1][end] == "-" ? -1 : 1)
        return Double(days(date[0], date[1], date[2]) * 86_400) + clock[0] * 3600 + clock[1] * 60 + clock[2] - offset
    }

    /// Days since 1970 in the proleptic Gregorian calendar; March counts as the first month, so that the leap day is last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shiftedYear = month > 2 ? year : year - 1
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
