// SPDX-License-Identifier: Apache-2.0

/// Rows of cells as lines of text in columns.
enum TextTable {
    static func text(_ rows: [[String]], rightAligned: Set<Int> = []) -> String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { (row: [String]) -> String in
            let cells = row.enumerated().map { (column: Int, text: String) -> String in
                let space = String(repeating: " ", count: widths[column] - text.count)
                return rightAligned.contains(column) ? space + text : text + space
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
