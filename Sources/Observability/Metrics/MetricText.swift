// SPDX-License-Identifier: Apache-2.0

/// The labels of one sample line.
struct LabelSet {
    private(set) var pairs: [(name: String, value: String)]

    func adding(_ name: String, _ value: String) -> LabelSet { LabelSet(pairs: pairs + [(name, value)]) }
}

/// Builds the Prometheus text format, version 0.0.4.
struct MetricText {
    private(set) var text = ""

    mutating func appendHeader(_ metric: MetricDescription) {
        text += "# HELP \(metric.name) \(Self.escaped(metric.help, quotes: false))\n"
        text += "# TYPE \(metric.name) \(metric.kind.rawValue)\n"
    }

    mutating func appendSample(_ name: String, _ labels: LabelSet, _ value: String) {
        text += name
        if !labels.pairs.isEmpty {
            let pairs = labels.pairs.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " " + value + "\n"
    }

    /// Whole numbers without a fraction, infinities as the format spells them.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\".unicodeScalars
            case "\n": result += "\\n".unicodeScalars
            case "\"" where quotes: result += "\\\"".unicodeScalars
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
