// SPDX-License-Identifier: Apache-2.0
import Observability

/// What the relay of session events counts.
struct SessionStreamMetrics: Sendable {
    let viewers: Gauge
    let sessions: Gauge
    let snapshots: Counter
    let events: Counter
    let gaps: Counter
    let overflows: Counter
    let comparisons: Counter

    init(_ registry: MetricsRegistry) {
        viewers = registry.gauge("switchyard_session_viewers", help: "Open streams of session events.")
        sessions = registry.gauge("switchyard_session_watched", help: "Sessions that at least one stream watches.")
        snapshots = registry.counter(
            "switchyard_session_snapshots_total", help: "Snapshots sent to streams of session events.")
        events = registry.counter(
            "switchyard_session_events_total", help: "Titles and messages sent to streams of session events.")
        gaps = registry.counter(
            "switchyard_session_gaps_total", help: "Times a watched session had changed without being heard of.")
        overflows = registry.counter(
            "switchyard_session_overflows_total", help: "Times a slow reader of session events was held back.")
        comparisons = registry.counter(
            "switchyard_session_comparisons_total",
            help: "Statements that compared the versions of all watched sessions.")
    }
}
