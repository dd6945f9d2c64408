// SPDX-License-Identifier: Apache-2.0
import Observability

/// What the publisher counts.
struct PublisherMetrics: Sendable {
    private let flushes: Counter
    private let events: Counter
    private let flushSeconds: Histogram
    private let firstTokens: Histogram
    private let betweenTokens: Histogram
    let staleStreams: Counter
    let resynchronizations: Counter

    init(_ registry: MetricsRegistry) {
        flushes = registry.counter(
            "switchyard_publisher_flushes_total", help: "Flushes of the publisher that were acknowledged.")
        events = registry.counter("switchyard_publisher_events_total", help: "Events appended to the token log.")
        flushSeconds = registry.histogram(
            "switchyard_publisher_flush_seconds", help: "Time from sending a flush to its acknowledgement.")
        firstTokens = registry.histogram(
            "switchyard_chat_first_token_seconds", help: "Time from the start of a run to its first output.")
        betweenTokens = registry.histogram(
            "switchyard_chat_inter_token_seconds", help: "Time between two pieces of output of a run.")
        staleStreams = registry.counter(
            "switchyard_publisher_stale_streams_total", help: "Streams whose lease was lost while they wrote.")
        resynchronizations = registry.counter(
            "switchyard_publisher_resynchronizations_total",
            help: "Times the log was compared with memory after a lost connection.")
    }

    /// What was gathered since the last flush: two additions a bucket instead of some for each token.
    func paced(_ pace: OutputPace) {
        firstTokens.add(pace.firsts)
        betweenTokens.add(pace.gaps)
    }

    func flushed(_ flush: PublisherMachine.Flush, took duration: Duration) {
        flushes.increment()
        events.increment(by: flush.events.count)
        flushSeconds.observe(duration)
    }
}
