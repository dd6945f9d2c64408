// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import JSON

/// Saved results side by side: every figure that has a target, and whether it is reached.
struct Summary: Sendable {
    private let rows: [[String]]

    /// - Parameter paths: files that ``Report/save(in:)`` wrote.
    /// - Throws: when one cannot be read.
    init(_ paths: some Sequence<String>) throws {
        var rows = [["scenario", "figure", "measured", "spread", "unit", "target", ""]]
        for path in paths {
            let result = try JSONParser.parse(Array(try Data(contentsOf: URL(filePath: path))))
            for figure in result["figures"]?.arrayValue ?? [] {
                guard let target = figure["target"]?.stringValue, let value = figure["value"]?.doubleValue else {
                    continue
                }
                var spread = ""
                if let least = figure["least"]?.doubleValue, let greatest = figure["greatest"]?.doubleValue {
                    spread = Figure.text(least) + "…" + Figure.text(greatest)
                }
                rows.append([
                    result["scenario"]?.stringValue ?? "", figure["name"]?.stringValue ?? "", Figure.text(value),
                    spread,
                    figure["unit"]?.stringValue ?? "", target, figure["met"] == .bool(true) ? "reached" : "MISSED",
                ])
            }
        }
        self.rows = rows
    }

    var table: String { TextTable.text(rows, rightAligned: [2]) }
}
