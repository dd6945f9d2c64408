// SPDX-License-Identifier: Apache-2.0
import HTTP
import Observability
import Synchronization

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
final class RouteMetrics: Sendable {
    private let method: String
    private let pattern: String
    private let requests: MetricFamily<Counter>
    private let duration: Histogram
    private let classes = Mutex<[Counter?]>(Array(repeating: nil, count: 10))

    init(method: String, pattern: String, requests: MetricFamily<Counter>, duration: Histogram) {
        self.method = method
        self.pattern = pattern
        self.requests = requests
        self.duration = duration
    }

    func answered(_ status: HTTPStatus, after elapsed: Duration) {
        counter(of: status.statusClass).increment()
        duration.observe(elapsed)
    }

    private func counter(of statusClass: Int) -> Counter {
        classes.withLock { classes in
            if let counter = classes[statusClass] { return counter }
            let counter = requests.labels(method, pattern, "\(statusClass)xx")
            classes[statusClass] = counter
            return counter
        }
    }
}
