// SPDX-License-Identifier: Apache-2.0
import Observability
import Persistence

/// What the rate limits count.
struct RateLimitMetrics: Sendable {
    /// Statements that drew permits.
    let draws: Counter
    private let user: Counter
    private let address: Counter
    private let authentication: Counter

    init(_ registry: MetricsRegistry) {
        draws = registry.counter(
            "switchyard_rate_limit_draws_total", help: "Statements that drew permits from the shared counters.")
        let limited = registry.counter(
            "switchyard_rate_limited_requests_total", help: "Requests refused with 429, by the limit they met.",
            labels: ["class"])
        user = limited.labels("user")
        address = limited.labels("address")
        authentication = limited.labels("auth")
    }

    func refused(_ kind: RateLimitBucket.Kind) {
        switch kind {
        case .user: user.increment()
        case .address: address.increment()
        case .attempt, .attempts: authentication.increment()
        }
    }
}
