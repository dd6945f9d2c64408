// SPDX-License-Identifier: Apache-2.0
import Chat
package import Observability

/// What a worker counts of providers. The label `model` is the id of a configuration that everybody shares, and
/// `personal` for all others together, so that it stays bounded.
package struct ProviderMetrics: Sendable {
    /// The label of configurations that only one person sees.
    static let personal = "personal"

    let draws: Counter
    private let calls: MetricFamily<Counter>
    private let refusals: MetricFamily<Counter>
    private let deferred: MetricFamily<Counter>
    private let blockedSeconds: MetricFamily<Counter>
    private let remaining: MetricFamily<Gauge>
    private let limits: MetricFamily<Gauge>
    private let blocked: MetricFamily<Gauge>
    private let breakers: MetricFamily<Gauge>
    let releasedHolders: Counter

    /// Registers everything under `switchyard_provider_…`.
    package init(_ registry: MetricsRegistry) {
        draws = registry.counter(
            "switchyard_provider_draws_total", help: "Transactions that drew from, or gave back to, budgets.")
        calls = registry.counter(
            "switchyard_provider_calls_total", help: "Provider calls by what their end said of the provider.",
            labels: ["model", "outcome"])
        refusals = registry.counter(
            "switchyard_provider_refusals_total", help: "Calls that were not made because they may not be, by reason.",
            labels: ["model", "reason"])
        deferred = registry.counter(
            "switchyard_provider_deferred_jobs_total", help: "Claimed jobs put back to wait for their provider.",
            labels: ["reason"])
        blockedSeconds = registry.counter(
            "switchyard_provider_blocked_seconds_total",
            help: "Seconds for which this process parked a provider, rounded up.", labels: ["model"])
        remaining = registry.gauge(
            "switchyard_provider_budget_remaining", help: "What was left of a budget at this process's last draw.",
            labels: ["model", "budget"])
        limits = registry.gauge(
            "switchyard_provider_budget_limit", help: "What all processes together may use.",
            labels: ["model", "budget"])
        blocked = registry.gauge(
            "switchyard_provider_blocked", help: "1 while nobody may ask a provider.", labels: ["model"])
        breakers = registry.gauge(
            "switchyard_provider_breaker_state", help: "Circuit breaker: 0 closed, 1 open, 2 half-open.",
            labels: ["model"])
        releasedHolders = registry.counter(
            "switchyard_provider_released_holders_total",
            help: "Dead processes whose places for calls at once were given back.")
    }

    func ended(_ model: String, _ outcome: CallOutcome) { calls.labels(model, outcome.label).increment() }
    func refused(_ model: String, _ reason: ErrorCode) { refusals.labels(model, reason.rawValue).increment() }
    func putOff(_ reason: String, _ count: Int) { deferred.labels(reason).increment(by: count) }
    func blocked(_ model: String, for duration: Duration) {
        let seconds = duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0)
        blockedSeconds.labels(model).increment(by: Int(clamping: seconds))
    }
    func left(_ model: String, requests: Int64?, tokens: Int64?) {
        if let requests { remaining.labels(model, "requests").set(Double(requests)) }
        if let tokens { remaining.labels(model, "tokens").set(Double(tokens)) }
    }
    func standing(_ model: String, limits: [(String, Int?)], isBlocked: Bool, breaker: Int16) {
        for (budget, limit) in limits { if let limit { self.limits.labels(model, budget).set(limit) } }
        blocked.labels(model).set(isBlocked ? 1 : 0)
        breakers.labels(model).set(Int(breaker))
    }
}
