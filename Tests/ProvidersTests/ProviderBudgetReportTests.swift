// SPDX-License-Identifier: Apache-2.0
import HTTP
import Testing

@testable import Providers

struct ProviderBudgetReportTests {
    @Test(
        arguments: [
            ("1s", 1), ("6m0s", 360), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("7", 7), ("0.5", 0.5), ("", 0),
            ("2026-11-26T00:00:10Z", 10), ("2026-11-26T01:00:10.5+01:00", 10.5), ("soon", nil), ("1x", nil),
            ("2026-13-26T00:00:10Z", nil), ("T", nil), ("5 s", nil), ("nan", nil),
        ] as [(String, Double?)])
    func `resets are read in all their forms`(text: String, seconds: Double?) {
        let read = ProviderBudgetReport.seconds(text, now: 1_795_651_200)
        #expect(read.map { ($0 * 1000).rounded() } == seconds.map { $0 * 1000 })
    }

    @Test func `OpenAI's fields tell requests and tokens`() {
        let report = ProviderBudgetReport(
            [
                "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s",
            ], now: 0)
        #expect(report.requests == ProviderBudgetReport.Budget(remaining: 59, reset: .seconds(1)))
        #expect(report.tokens == ProviderBudgetReport.Budget(remaining: 0, reset: .seconds(360)))
        // A tenth of the whole is back after a tenth of the time.
        #expect(report.pause == .seconds(36))
    }

    @Test func `of Anthropic's kinds of tokens the scarcest counts`() {
        let report = ProviderBudgetReport(
            [
                "anthropic-ratelimit-requests-remaining": "4",
                "anthropic-ratelimit-requests-reset": "1970-01-01T00:00:09Z",
                "anthropic-ratelimit-input-tokens-remaining": "9000",
                "anthropic-ratelimit-output-tokens-remaining": "30",
            ], now: 4)
        #expect(report.requests == ProviderBudgetReport.Budget(remaining: 4, reset: .seconds(5)))
        #expect(report.tokens?.remaining == 30)
        #expect(report.pause == nil)
    }

    @Test func `nonsense says nothing and no reset is longer than an hour`() {
        let report = ProviderBudgetReport(
            [
                "x-ratelimit-remaining-requests": "many", "x-ratelimit-remaining-tokens": "-5",
                "x-ratelimit-reset-tokens": "99999h",
            ], now: 0)
        #expect(report.requests == nil)
        #expect(report.tokens == ProviderBudgetReport.Budget(remaining: 0, reset: .seconds(3600)))
        #expect(report.pause == .seconds(360))
        #expect(ProviderBudgetReport([:], now: 0) == ProviderBudgetReport())
    }
}
