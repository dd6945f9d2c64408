// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(1)))
struct HistogramBatchTests {
    @Test func `what was gathered comes to the same as what was observed one by one`() {
        let metrics = MetricsRegistry()
        let (one, other) = (
            metrics.histogram("one_seconds", help: "."), metrics.histogram("other_seconds", help: ".")
        )
        var batch = HistogramBatch()
        #expect(batch.isEmpty)
        for milliseconds in [0, 1, 2, 3, 40, 500, 70_000] {
            one.observe(.milliseconds(milliseconds))
            batch.observe(.milliseconds(milliseconds))
        }
        other.add(batch.take())
        #expect(batch.isEmpty)
        other.add(batch.take())
        #expect(other.count == 7)
        #expect(other.sum == one.sum)
        let lines = metrics.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        func samples(_ name: String) -> [Substring] {
            lines.filter { $0.hasPrefix(name) }.map { $0.dropFirst(name.count) }
        }
        #expect(samples("one").count == Histogram.latencyBounds.count + 3)
        #expect(samples("one") == samples("other"))
    }

    @Test func `a batch for other bounds is a mistake`() async {
        await #expect(processExitsWith: .failure) {
            var batch = HistogramBatch(bounds: [1, 2])
            batch.observe(.seconds(1))
            MetricsRegistry().histogram("one_seconds", help: ".").add(batch)
        }
    }
}
