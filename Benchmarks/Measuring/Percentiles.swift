// SPDX-License-Identifier: Apache-2.0

/// Samples in order of size.
struct Percentiles: Sendable {
    private let sorted: [Double]

    init(_ samples: [Double]) { sorted = samples.sorted() }

    var count: Int { sorted.count }
    var mean: Double { sorted.isEmpty ? .nan : sorted.reduce(0, +) / Double(sorted.count) }
    var median: Double { self[0.5] }
    var minimum: Double { sorted.first ?? .nan }
    var maximum: Double { sorted.last ?? .nan }

    /// The smallest sample that this share of all samples does not exceed.
    subscript(_ share: Double) -> Double {
        if sorted.isEmpty { return .nan }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}
