// SPDX-License-Identifier: Apache-2.0
import Observability

/// What the server counts; all labels are bounded.
struct ServerMetrics: Sendable {
    let connections: Gauge
    let eventStreams: Gauge
    let sentBytes: Counter
    let receivedBytes: Counter
    let duration: Histogram
    let overflownStreams: Counter
    private let requests: [Counter]
    private let refusals: [String: Counter]

    init(_ registry: MetricsRegistry) {
        connections = registry.gauge("switchyard_http_connections", help: "Open connections.")
        eventStreams = registry.gauge("switchyard_http_event_streams", help: "Open event streams.")
        sentBytes = registry.counter("switchyard_http_sent_bytes_total", help: "Bytes handed to the kernel.")
        receivedBytes = registry.counter("switchyard_http_received_bytes_total", help: "Bytes read from clients.")
        duration = registry.histogram(
            "switchyard_http_request_duration_seconds",
            help: "From the end of a request's head to the end of its answer; for event streams to its beginning.")
        overflownStreams = registry.counter(
            "switchyard_http_event_streams_overflown_total", help: "Event streams closed over their hard limit.")
        let requests = registry.counter(
            "switchyard_http_requests_total", help: "Answers by class of status.", labels: ["class"])
        self.requests = (1...5).map { requests.labels("\($0)xx") }
        let refusals = registry.counter(
            "switchyard_http_refusals_total", help: "Requests answered below the router, by kind.", labels: ["kind"])
        self.refusals = Dictionary(
            uniqueKeysWithValues: RequestRefusal.kinds.map { ($0.description, refusals.labels($0.description)) })
    }

    func answered(statusClass: Int) { requests[statusClass - 1].increment() }

    func refused(_ refusal: RequestRefusal) { refusals[refusal.kind.description]?.increment() }
}
