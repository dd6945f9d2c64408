// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// What a provider's header fields say is left of its own limits: `x-ratelimit-…` of OpenAI and its kin,
/// `anthropic-ratelimit-…`. All of it is optional and none of it is believed beyond reason.
package struct ProviderBudgetReport: Sendable, Hashable {
    /// One of the limits.
    package struct Budget: Sendable, Hashable {
        /// What is left.
        package var remaining: Int64
        /// Until it is whole again; `nil` when that is not said.
        package var reset: Duration?
    }

    /// No wait that a header asks for is longer.
    private static let longestReset: Double = 3600

    /// Calls.
    package var requests: Budget?
    /// Tokens; where prompt and reply are told apart, the scarcer of them.
    package var tokens: Budget?

    /// Says nothing.
    package init() {}

    /// Reads an answer's fields. `now` is in seconds since 1970, for resets that are told as dates.
    package init(_ fields: HTTPFields, now: Double) {
        func budget(_ remaining: HTTPFieldName, _ reset: HTTPFieldName) -> Budget? {
            guard let text = fields[remaining], let number = Double(text), number.isFinite else { return nil }
            return Budget(
                remaining: Int64(max(0, min(number, 1e15))),
                reset: fields[reset].flatMap { Self.seconds($0, now: now) }.map {
                    .milliseconds(Int64(max(0, min($0, Self.longestReset)) * 1000))
                })
        }
        requests =
            budget("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests")
            ?? budget("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset")
        let kinds = [
            budget("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
            budget("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
            budget("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
            budget("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
        ]
        tokens = kinds.compactMap(\.self).min { $0.remaining < $1.remaining }
    }

    /// How long nobody should ask, when nothing is left. A budget fills up all the time, so a tenth of the time until it
    /// is whole brings back a tenth of it, which is enough to go on.
    package var pause: Duration? {
        let empty = [requests, tokens].compactMap(\.self).filter { $0.remaining == 0 }
        guard let longest = empty.compactMap(\.reset).max(), longest > .zero else { return nil }
        return max(longest / 10, .milliseconds(50))
    }

    /// `1s`, `6m0s`, `120ms`, `1h2m`, plain seconds, or a date of RFC 3339.
    static func seconds(_ text: String, now: Double) -> Double? {
        if let number = Double(text) { return number.isFinite ? number : nil }
        if text.contains("T") { return RetryAfter.seconds(ofTimestamp: text).map { $0 - now } }
        var (total, rest) = (0.0, text[...])
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            let factors = ["h": 3600.0, "m": 60, "s": 1, "ms": 0.001, "us": 0.000_001, "µs": 0.000_001]
            guard let number = Double(digits), let factor = factors[String(unit)] else { return nil }
            total += number * factor
        }
        return total
    }
}

extension ProviderError {
    /// Whether the provider is overloaded and says how long it wants to be left alone.
    package var asksToWait: Bool { (status == 503 || status == 529) && retryAfter != nil }
}
