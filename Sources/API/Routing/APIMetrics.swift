// SPDX-License-Identifier: Apache-2.0
import HTTP
import Observability

/// What the routes count; labels are patterns, methods and classes of status, so they are bounded.
struct APIMetrics: Sendable {
    private let requests: MetricFamily<Counter>
    private let duration: MetricFamily<Histogram>

    init(_ registry: MetricsRegistry) {
        requests = registry.counter(
            "switchyard_api_requests_total", help: "Requests that reached a route, by class of status.",
            labels: ["method", "route", "class"])
        duration = registry.histogram(
            "switchyard_api_request_duration_seconds",
            help: "From a request's arrival at its route to its answer; for event streams to their beginning.",
            labels: ["method", "route"])
    }

    func route(_ method: HTTPMethod, _ pattern: String) -> RouteMetrics {
        RouteMetrics(
            method: method.rawValue, pattern: pattern, requests: requests,
            duration: duration.labels(method.rawValue, pattern))
    }
}

/// The members of one route. Counters come into being with the first answer of their class: a family has room for
/// those that occur, not for every class of every route.
struct RouteMetrics: Sendable {
    let method: String
    let pattern: String
    let requests: MetricFamily<Counter>
    let duration: Histogram

    func answered(_ status: HTTPStatus, after elapsed: Duration) {
        requests.labels(method, pattern, "\(status.statusClass)xx").increment()
        duration.observe(elapsed)
    }
}
