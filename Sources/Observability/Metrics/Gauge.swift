// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A level: connections open, slots free, age of the oldest job in seconds. Any thread, no lock.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(Double.zero.bitPattern)

    init() {}

    /// The level is now this.
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// The level is now this.
    package func set(_ value: Int) { set(Double(value)) }

    /// Raises the level; lowers it by a negative amount.
    package func add(_ amount: Double) { bits.add(amount) }

    /// One more.
    package func increment() { add(1) }

    /// One less.
    package func decrement() { add(-1) }

    /// The level now, for tests and status pages.
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

extension Gauge: Metric {
    func appendSamples(name: String, labels: LabelSet, to text: inout MetricText) {
        text.appendSample(name, labels, MetricText.number(value))
    }
}

extension Atomic where Value == UInt64 {
    /// Adds to a number kept as its bit pattern; repeats when another thread was faster.
    borrowing func add(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
