// SPDX-License-Identifier: Apache-2.0

/// Observations gathered by one owner, for a histogram that gets them all at once.
///
/// For what happens at each token: gathering is a search over the bounds and an addition, without an atomic.
/// Concurrency: a value; whoever holds it guards it. The histogram must have the same bounds.
package struct HistogramBatch: Sendable {
    fileprivate let bounds: [Double]
    fileprivate var counts: [Int]
    fileprivate var sum = 0.0
    /// Whether nothing was observed since the last hand-over.
    package private(set) var isEmpty = true

    /// An empty one; the bounds are those of the histogram.
    package init(bounds: [Double] = Histogram.latencyBounds) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Gathers a duration in seconds.
    package mutating func observe(_ duration: Duration) {
        let value = duration / .seconds(1)
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
        isEmpty = false
    }

    /// Hands everything over and begins anew.
    package mutating func take() -> HistogramBatch {
        let taken = self
        self = HistogramBatch(bounds: bounds)
        return taken
    }
}

extension Histogram {
    /// Records all that was gathered. Traps when it was gathered for other bounds.
    package func add(_ batch: HistogramBatch) {
        if batch.isEmpty { return }
        add(counts: batch.counts, sum: batch.sum, bounds: batch.bounds)
    }
}
