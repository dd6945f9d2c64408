// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

struct RetryPolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let failure: JobFailure
        let attempt: Int16
        let jitter: Double
        let decision: RetryPolicy.Decision

        init(
            _ testDescription: String, _ failure: JobFailure, attempt: Int16 = 1, jitter: Double = 1,
            _ decision: RetryPolicy.Decision
        ) {
            self.testDescription = testDescription
            self.failure = failure
            self.attempt = attempt
            self.jitter = jitter
            self.decision = decision
        }
    }

    private static func failure(_ class: JobFailure.Class, retryAfter: Duration? = nil) -> JobFailure {
        JobFailure(`class`, .providerUnavailable, "words", retryAfter: retryAfter)
    }

    static let cases = [
        Case("a first failure waits up to the base", failure(.retry), .again(after: .seconds(2), attemptSpent: true)),
        Case(
            "later ones double", failure(.retry), attempt: 4, jitter: 0.5,
            .again(after: .seconds(8), attemptSpent: true)),
        Case(
            "never beyond the cap", failure(.retry), attempt: 9, .again(after: .seconds(300), attemptSpent: true)),
        Case("the last attempt fails the job", failure(.retry), attempt: 10, .fail),
        Case(
            "the provider's wait wins over ours", failure(.retry, retryAfter: .seconds(7)), jitter: 0,
            .again(after: .seconds(7), attemptSpent: true)),
        Case(
            "an absurd wait is cut", failure(.retry, retryAfter: .seconds(1_000_000)),
            .again(after: .seconds(3600), attemptSpent: true)),
        Case("nothing helps a fatal failure", failure(.fatal), .fail),
        Case(
            "a rate limit spends no attempt, not even the last", failure(.rateLimited), attempt: 10,
            .again(after: .seconds(15), attemptSpent: false)),
        Case(
            "a rate limit waits as asked", failure(.rateLimited, retryAfter: .seconds(1)),
            .again(after: .seconds(1), attemptSpent: false)),
        Case("an interrupted run is handed over", failure(.interrupted), attempt: 10, .handOver),
    ]

    @Test(arguments: cases)
    func `what follows a failed run`(_ row: Case) {
        let decision = RetryPolicy().decide(
            row.failure, attempt: row.attempt, maximumAttempts: 10, jitter: row.jitter)
        #expect(decision == row.decision)
    }

    @Test func `a claim never asks for more background jobs than jobs`() {
        #expect(ClaimLimit(total: 3, background: 9) == ClaimLimit(total: 3, background: 3))
        #expect(ClaimLimit(total: -1, background: 2) == ClaimLimit(total: 0, background: 0))
    }
}
