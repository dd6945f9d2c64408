// SPDX-License-Identifier: Apache-2.0

/// What a metric is, without its values: what the documentation lists and a test compares it with.
package struct MetricDescription: Sendable, Hashable {
    /// The word after the name on a `# TYPE` line.
    package enum Kind: String, Sendable, Hashable {
        /// Only rises, from 0 at the start of the process.
        case counter
        /// A level that goes up and down.
        case gauge
        /// Observations counted in buckets, with their sum.
        case histogram
    }

    /// As scraped, with unit and `_total`.
    package let name: String
    /// Which operations it has.
    package let kind: Kind
    /// One sentence for a person.
    package let help: String
    /// Label names in the order their values are given.
    package let labels: [String]

    /// The unit the name ends with (`seconds`, `bytes`, …); `nil` for plain counts. By convention of Prometheus
    /// the name is the only place where the unit is said.
    package var unit: String? {
        let parts = name.split(separator: "_")
        let last = kind == .counter && parts.last == "total" ? parts.dropLast().last : parts.last
        return last.map(String.init).flatMap { Self.units.contains($0) ? $0 : nil }
    }

    private static let units: Set<String> = ["seconds", "bytes", "tokens", "ratio"]

    /// Traps on a name the text format does not allow: a mistake in the source, found by the first run.
    init(name: StaticString, kind: Kind, help: StaticString, labels: [String]) {
        self.name = name.description
        self.kind = kind
        self.help = help.description
        self.labels = labels
        precondition(Self.isValid(self.name, allowingColon: true), "invalid metric name")
        precondition(labels.allSatisfy { Self.isValid($0, allowingColon: false) }, "invalid label name")
        precondition(Set(labels).count == labels.count, "a label occurs twice")
        precondition(kind != .histogram || !labels.contains("le"), "le is the bucket's own label")
    }

    private static func isValid(_ name: String, allowingColon: Bool) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: ":"): allowingColon
            default: false
            }
        }
    }
}
