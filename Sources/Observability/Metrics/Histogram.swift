// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts observations in buckets with fixed upper bounds. Any thread; a search over the bounds and two atomic
/// additions. A scrape during an observation may see the bucket before the sum.
package final class Histogram: Sendable {
    /// From a millisecond to a minute: for requests, statements, waiting times.
    package static let latencyBounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// From nothing to a thousand: for sizes of batches.
    package static let sizeBounds: [Double] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    /// From a tenth of a second to an hour: for whole jobs and streams.
    package static let jobBounds: [Double] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]

    private final class Bucket: Sendable { let count = Atomic<UInt64>(0) }

    private let bounds: [Double]
    private let buckets: [Bucket]
    private let sumBits = Atomic<UInt64>(Double.zero.bitPattern)

    /// Bounds are finite and rise; the bucket for everything above the last is added.
    init(bounds: [Double]) {
        precondition(!bounds.isEmpty && bounds.allSatisfy(\.isFinite), "bucket bounds must be finite")
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bucket bounds must rise")
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Bucket() }
    }

    /// Records a duration in seconds.
    package func observe(_ duration: Duration) { observe(duration / .seconds(1)) }

    /// Records a value in the unit of the bounds. NaN is not recorded.
    package func observe(_ value: Double) {
        guard !value.isNaN else { return }
        buckets[bounds.firstIndex { value <= $0 } ?? bounds.count].count.wrappingAdd(1, ordering: .relaxed)
        sumBits.add(value)
    }

    /// What a batch has gathered.
    func add(counts: [Int], sum: Double, bounds: [Double]) {
        precondition(bounds == self.bounds, "the batch was gathered for other bounds")
        for (bucket, count) in zip(buckets, counts) where count > 0 {
            bucket.count.wrappingAdd(UInt64(count), ordering: .relaxed)
        }
        sumBits.add(sum)
    }

    /// How many observations there were, for tests and status pages.
    package var count: UInt64 { buckets.reduce(0) { $0 + $1.count.load(ordering: .relaxed) } }

    /// The sum of all observations.
    package var sum: Double { Double(bitPattern: sumBits.load(ordering: .relaxed)) }
}

extension Histogram: Metric {
    func appendSamples(name: String, labels: LabelSet, to text: inout MetricText) {
        var cumulative: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            cumulative += bucket.count.load(ordering: .relaxed)
            let bound = index < bounds.count ? MetricText.number(bounds[index]) : "+Inf"
            text.appendSample(name + "_bucket", labels.adding("le", bound), "\(cumulative)")
        }
        text.appendSample(name + "_sum", labels, MetricText.number(sum))
        text.appendSample(name + "_count", labels, "\(cumulative)")
    }
}
