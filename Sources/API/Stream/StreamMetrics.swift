// SPDX-License-Identifier: Apache-2.0
import Observability

/// What the relay counts.
struct StreamMetrics: Sendable {
    let subscribers: Gauge
    let frames: Counter
    let gaps: Counter
    let reads: Counter
    let sweptJobs: Counter
    let overflows: Counter
    let malformed: Counter
    let notices: Counter

    init(_ registry: MetricsRegistry) {
        subscribers = registry.gauge("switchyard_stream_subscribers", help: "Readers of token streams.")
        frames = registry.counter("switchyard_stream_frames_total", help: "Events sent to readers, counted for each.")
        gaps = registry.counter(
            "switchyard_stream_gaps_total",
            help: "Events that did not follow the reader's last and made it read the log.")
        reads = registry.counter("switchyard_stream_reads_total", help: "Statements that read the log for readers.")
        sweptJobs = registry.counter(
            "switchyard_stream_swept_jobs_total", help: "Watched jobs that were silent and looked up in the log.")
        overflows = registry.counter(
            "switchyard_stream_overflows_total", help: "Times a slow reader was sent back to the log.")
        malformed = registry.counter(
            "switchyard_stream_malformed_total", help: "Lines of notifications that could not be parsed.")
        notices = registry.counter(
            "switchyard_stream_notices_total", help: "Live notices of a wait or a title, sent beside the log.")
    }
}
