// SPDX-License-Identifier: Apache-2.0
import Observability

/// What a client counts, where a registry is given.
struct HTTPClientMetrics: Sendable {
    private let succeeded: Counter
    private let failed: [HTTPClientError.Code: Counter]
    private let newConnections: Counter
    private let reusedConnections: Counter
    private let active: Gauge
    private let unwatched: Counter

    init(_ registry: MetricsRegistry) {
        let requests = registry.counter(
            "switchyard_http_client_requests_total",
            help: "Requests to other servers by how they ended: ok, or the error's code.", labels: ["outcome"])
        succeeded = requests.labels("ok")
        failed = Dictionary(
            uniqueKeysWithValues: HTTPClientError.Code.allCases.map { ($0, requests.labels($0.rawValue)) })
        let connections = registry.counter(
            "switchyard_http_client_connections_total",
            help: "Connections used by requests to other servers: new or reused.", labels: ["kind"])
        newConnections = connections.labels("new")
        reusedConnections = connections.labels("reused")
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
        case .success: succeeded.increment()
        case .failure(let error): failed[error.code]?.increment()
        }
        guard wasSent else { return }
        if newConnectionCount == 0 { reusedConnections.increment() }
        newConnections.increment(by: newConnectionCount)
    }

    func unwatchedSocket() { unwatched.increment() }
}
