// SPDX-License-Identifier: Apache-2.0

/// A measured number, with what it is to reach where the design says so.
struct Figure: Sendable {
    /// What is to be reached.
    enum Target: Sendable {
        case atMost(Double)
        case atLeast(Double)

        var text: String {
            switch self {
            case .atMost(let limit): "≤ " + Figure.text(limit)
            case .atLeast(let limit): "≥ " + Figure.text(limit)
            }
        }

        func isMet(by value: Double) -> Bool {
            switch self {
            case .atMost(let limit): value <= limit
            case .atLeast(let limit): value >= limit
            }
        }
    }

    var name: String
    var value: Double
    var unit: String
    var target: Target?
    /// Over several rounds, of which `value` is the median.
    var spread: ClosedRange<Double>?

    init(_ name: String, _ value: Double, _ unit: String, _ target: Target? = nil) {
        self.name = name
        self.value = value
        self.unit = unit
        self.target = target
    }

    /// A median and how far the rounds were apart.
    init(_ name: String, medianOf samples: [Double], _ unit: String, _ target: Target? = nil) {
        let sorted = Percentiles(samples)
        self.init(name, sorted.median, unit, target)
        if sorted.count > 1 { spread = sorted.minimum...sorted.maximum }
    }

    /// `least…greatest`, or nothing after a single round.
    var spreadText: String {
        spread.map { Self.text($0.lowerBound) + "…" + Self.text($0.upperBound) } ?? ""
    }

    /// Three significant digits or whole numbers, which is more than a shared machine can repeat.
    static func text(_ value: Double) -> String {
        let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 4
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(value) * scale).rounded())
        let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: Int64(scale))
        let sign = value < 0 ? "-" : ""
        if digits == 0 { return "\(sign)\(whole)" }
        let decimals = String(fraction)
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - decimals.count) + decimals
    }
}
