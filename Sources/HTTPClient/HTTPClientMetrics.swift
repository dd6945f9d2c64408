// SPDX-License-Identifier: Apache-2.0
import Observability

/// What a client counts, where a registry is given.
struct HTTPClientMetrics: Sendable {
    private let requests: MetricFamily<Counter>
    private let connections: MetricFamily<Counter>
    private let active: Gauge
    private let unwatched: Counter

    init(_ registry: MetricsRegistry) {
        requests = registry.counter(
            "switchyard_http_client_requests_total",
            help: "Requests to other servers by how they ended: ok, or the error's code.", labels: ["outcome"])
        connections = registry.counter(
            "switchyard_http_client_connections_total",
            help: "Connections used by requests to other servers: new or reused.", labels: ["kind"])
        active = registry.gauge(
            "switchyard_http_client_active_requests", help: "Requests to other servers under way.")
        unwatched = registry.counter(
            "switchyard_http_client_unwatched_sockets_total",
            help: "Sockets the kernel refused to watch; above 0 the machine is out of resources.")
    }

    func began() { active.increment() }

    func ended(_ outcome: Result<Void, HTTPClientError>, wasSent: Bool, newConnectionCount: Int) {
        active.decrement()
        switch outcome {
        case .success: requests.labels("ok").increment()
        case .failure(let error): requests.labels(error.code.rawValue).increment()
        }
        guard wasSent else { return }
        connections.labels(newConnectionCount == 0 ? "reused" : "new").increment(by: max(1, newConnectionCount))
    }

    func unwatchedSocket() { unwatched.increment() }
}
