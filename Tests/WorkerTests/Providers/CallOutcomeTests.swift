// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

@testable import Providers
@testable import Worker

struct CallOutcomeTests {
    static let cases: [(ProviderError, CallOutcome, JobFailure.Class)] = [
        (ProviderError(.rateLimited, .status, status: 429), .busy(for: nil), .rateLimited),
        (
            ProviderError(.rateLimited, .status, status: 429, retryAfter: .seconds(7)), .busy(for: .seconds(7)),
            .rateLimited
        ),
        (
            ProviderError(.providerUnavailable, .status, status: 529, retryAfter: .seconds(3)), .busy(for: .seconds(3)),
            .rateLimited
        ),
        (ProviderError(.providerUnavailable, .status, status: 503), .failed, .retry),
        (ProviderError(.providerUnavailable, .status, status: 500, retryAfter: .seconds(3)), .failed, .retry),
        (ProviderError(.providerUnavailable, .connection), .failed, .retry),
        (ProviderError(.providerUnavailable, .connection, isRetryable: false), .silent, .fatal),
        (ProviderError(.firstTokenTimeout, .timeout), .failed, .retry),
        (ProviderError(.deadlineExceeded, .timeout).afterOutput(true), .alive, .retry),
        (ProviderError(.providerAuth, .status, status: 401), .alive, .fatal),
        (ProviderError(.providerQuota, .status, status: 429), .alive, .fatal),
        (ProviderError(.cancelled, .cancelled), .silent, .interrupted),
        (ProviderError(.providerBusy, .withheld, retryAfter: .seconds(1)), .silent, .waiting),
        (ProviderError(.rateLimited, .withheld, retryAfter: .seconds(1)), .silent, .waiting),
        (ProviderError(.contextLength, .withheld, isRetryable: false), .silent, .fatal),
        (ProviderError(.providerBadResponse, .truncated), .failed, .retry),
        (ProviderError(.providerBadResponse, .truncated).afterOutput(true), .alive, .retry),
    ]

    @Test(arguments: cases.indices)
    func `what an error says of the provider and of the job`(index: Int) {
        let (error, outcome, kind) = Self.cases[index]
        #expect(CallOutcome(error) == outcome)
        #expect(JobFailure(error).class == kind)
    }
}
