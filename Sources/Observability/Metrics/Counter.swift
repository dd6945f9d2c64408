// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts events since the start of the process. Any thread; one relaxed atomic addition.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    /// Adds to the count. A negative amount is a mistake of the caller and adds nothing: counters never fall.
    package func increment(by amount: Int = 1) {
        count.wrappingAdd(UInt64(clamping: amount), ordering: .relaxed)
    }

    /// The count now, for tests and status pages.
    package var value: UInt64 { count.load(ordering: .relaxed) }
}

extension Counter: Metric {
    func appendSamples(name: String, labels: LabelSet, to text: inout MetricText) {
        text.appendSample(name, labels, "\(value)")
    }
}
