// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// All metrics of a process, in one place to scrape. Passed to whatever measures by an init parameter `metrics`.
///
/// Registering a name again returns the same metric, so that several pools can share one; registering it with
/// another type, other labels, help or buckets traps, because one of the two call sites is wrong.
/// Any thread; registering takes a lock, the metrics themselves do not.
package final class MetricsRegistry: Sendable {
    private struct Entry: Sendable {
        let family: any AnyMetricFamily
        let bounds: [Double]
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let process = ProcessMetrics()

    /// A registry that has only the metrics of the process itself.
    package init() {}

    /// A count; the name ends in `_total`.
    package func counter(_ name: StaticString, help: StaticString) -> Counter {
        counter(name, help: help, labels: []).member([])
    }

    /// Counts by label values.
    package func counter(_ name: StaticString, help: StaticString, labels: [String]) -> MetricFamily<Counter> {
        family(MetricDescription(name: name, kind: .counter, help: help, labels: labels)) { Counter() }
    }

    /// A level.
    package func gauge(_ name: StaticString, help: StaticString) -> Gauge {
        gauge(name, help: help, labels: []).member([])
    }

    /// Levels by label values.
    package func gauge(_ name: StaticString, help: StaticString, labels: [String]) -> MetricFamily<Gauge> {
        family(MetricDescription(name: name, kind: .gauge, help: help, labels: labels)) { Gauge() }
    }

    /// A distribution; `buckets` are upper bounds, in seconds unless the name ends in another unit.
    package func histogram(
        _ name: StaticString, help: StaticString, buckets: [Double] = Histogram.latencyBounds
    ) -> Histogram {
        histogram(name, help: help, labels: [], buckets: buckets).member([])
    }

    /// Distributions by label values.
    package func histogram(
        _ name: StaticString, help: StaticString, labels: [String], buckets: [Double] = Histogram.latencyBounds
    ) -> MetricFamily<Histogram> {
        family(MetricDescription(name: name, kind: .histogram, help: help, labels: labels), bounds: buckets) {
            Histogram(bounds: buckets)
        }
    }

    /// Everything registered, and the metrics of the process, by name.
    package var descriptions: [MetricDescription] {
        let registered = entries.withLock { entries in entries.values.map(\.family.description) }
        return (registered + ProcessMetrics.descriptions).sorted { $0.name < $1.name }
    }

    /// The body of `GET /metrics`, to be sent as `text/plain; version=0.0.4; charset=utf-8`. Metrics are in order
    /// of their names, members in order of their label values; a family without members has only its header.
    /// Cost: a pass over all members and a few reads of `/proc`, which is memory; well below a millisecond.
    package func prometheusText() -> String {
        var text = MetricText()
        let families = entries.withLock { entries in entries.values.map(\.family) }
        for family in families.sorted(by: { $0.description.name < $1.description.name }) {
            text.appendHeader(family.description)
            family.append(to: &text)
        }
        process.append(to: &text)
        return text.text
    }

    private func family<Member: Metric>(
        _ description: MetricDescription, bounds: [Double] = [], make: @escaping @Sendable () -> Member
    ) -> MetricFamily<Member> {
        entries.withLock { entries in
            if let entry = entries[description.name] {
                guard let family = entry.family as? MetricFamily<Member>, entry.bounds == bounds,
                    family.description == description
                else { preconditionFailure("metric \(description.name) is registered twice, differently") }
                return family
            }
            let family = MetricFamily<Member>(description, make: make)
            if description.labels.isEmpty { _ = family.member([]) }
            entries[description.name] = Entry(family: family, bounds: bounds)
            return family
        }
    }
}
