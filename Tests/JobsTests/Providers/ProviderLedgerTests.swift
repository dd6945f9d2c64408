// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

struct ProviderLedgerTests {
    private let rules = BudgetRules()
    private let now = Timestamp(microsecondsSince1970: 1_790_000_000_000_000)

    private func ledger(_ concurrent: Int? = nil, _ requests: Int? = nil, _ tokens: Int? = nil) -> ProviderLedger {
        ProviderLedger(
            limits: ProviderLimits(maximumConcurrent: concurrent, requestsPerMinute: requests, tokensPerMinute: tokens))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let limits: (Int?, Int?, Int?)
        let wish: PermitWish
        var placesInUse = 0
        let permits: Int
        let places: Int
        let shortage: PermitGrant.Shortage?
    }

    static let cases = [
        Case(
            testDescription: "calls are granted while there are places", limits: (3, nil, nil),
            wish: PermitWish(calls: [0, 0]), placesInUse: 2, permits: 1, places: 1, shortage: .places),
        Case(
            testDescription: "idle places are used before new ones", limits: (3, nil, nil),
            wish: PermitWish(calls: [0, 0], idlePlaces: 1), placesInUse: 1, permits: 2, places: 1, shortage: nil),
        Case(
            testDescription: "a limit that was lowered takes idle places away", limits: (3, nil, nil),
            wish: PermitWish(calls: [0, 0], idlePlaces: 2), placesInUse: 4, permits: 1, places: 0, shortage: .places),
        Case(
            testDescription: "requests end with the minute's", limits: (nil, 2, nil),
            wish: PermitWish(calls: [0, 0, 0]), permits: 2, places: 0, shortage: .requests),
        Case(
            testDescription: "tokens end with the minute's, in the order of the calls", limits: (nil, nil, 100),
            wish: PermitWish(calls: [60, 50, 10]), permits: 1, places: 0, shortage: .tokens),
        Case(
            testDescription: "calls ahead come out of plenty only", limits: (nil, 10, nil),
            wish: PermitWish(calls: [0, 0], ahead: 8), permits: 5, places: 0, shortage: nil),
        Case(
            testDescription: "calls ahead that do not fit are no shortage", limits: (1, nil, nil),
            wish: PermitWish(calls: [], ahead: 4), permits: 1, places: 1, shortage: nil),
        Case(
            testDescription: "without limits everything goes", limits: (nil, nil, nil),
            wish: PermitWish(calls: [9, 9, 9]), permits: 3, places: 0, shortage: nil),
        Case(
            testDescription: "a provider that has less left than we think is believed", limits: (nil, 10, nil),
            wish: PermitWish(calls: [0, 0, 0], reported: ReportedBudget(remainingRequests: 2)), permits: 2, places: 0,
            shortage: .requests),
    ]

    @Test(arguments: cases)
    func `what a wish is granted`(_ row: Case) {
        var ledger = ledger(row.limits.0, row.limits.1, row.limits.2)
        let grant = ledger.exchange(row.wish, placesInUse: row.placesInUse, at: now, rules)
        #expect(grant.permits.count == row.permits)
        #expect(grant.places == row.places)
        #expect(grant.shortage == row.shortage)
        #expect((grant.wait > .zero) == (row.shortage != nil))
    }

    @Test func `the true usage replaces the reservation`() throws {
        var ledger = ledger(nil, nil, 1000)
        let grant = ledger.exchange(PermitWish(calls: [400, 400]), placesInUse: 0, at: now, rules)
        #expect(grant.remainingTokens == 200)
        let slot = try #require(grant.permits.first?.slot)
        let corrections = [
            PermitWish.Correction(slot: slot, requests: 0, tokens: -300),
            PermitWish.Correction(slot: slot, requests: 0, tokens: 50),
        ]
        let later = now.advanced(by: .seconds(30))
        let answer = ledger.exchange(PermitWish(corrections: corrections), placesInUse: 0, at: later, rules)
        #expect(answer.remainingTokens == 450)
        // What was used beyond its reservation counts from when that became known.
        ledger.tokens.advance(to: now.advanced(by: .seconds(70)), rules)
        #expect(ledger.tokens.used == 50)
    }

    @Test func `a place given back is told once to those who missed it`() {
        var ledger = ledger(1)
        #expect(ledger.exchange(PermitWish(calls: [0]), placesInUse: 1, at: now, rules).shortage == .places)
        let wish = PermitWish(returnedPlaces: 1)
        #expect(ledger.exchange(wish, placesInUse: 0, at: now, rules).isMissed)
        #expect(!ledger.exchange(wish, placesInUse: 0, at: now, rules).isMissed)
    }

    @Test(
        arguments: [
            (nil, 500, 4096, 0, 4096), (10_000, 500, 4096, 4596, 4096), (1000, 500, 4096, 1000, 500),
        ] as [(Int?, Int, Int, Int, Int)])
    func `a reply that the budget could never hold is cut`(
        budget: Int?, prompt: Int, output: Int, tokens: Int, cut: Int
    ) throws {
        let reserved = try #require(
            ProviderLimits(tokensPerMinute: budget).reservation(promptTokens: prompt, outputTokens: output))
        #expect(reserved.tokens == tokens && reserved.outputTokens == cut)
    }

    @Test func `a prompt that the budget could never hold is refused`() {
        #expect(ProviderLimits(tokensPerMinute: 500).reservation(promptTokens: 500, outputTokens: 1) == nil)
    }
}
