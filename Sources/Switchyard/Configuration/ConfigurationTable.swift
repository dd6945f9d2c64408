// SPDX-License-Identifier: Apache-2.0

/// What `switchyard config` prints: every setting on a line, in columns.
enum ConfigurationTable {
    static var text: String {
        let rows = [["NAME", "TYPE", "DEFAULT", "MEANING"]] + Setting.all.map(row)
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            (0..<3).map { row[$0].padded(to: widths[$0]) }.joined(separator: "  ") + "  " + row[3]
        }.joined(separator: "\n")
    }

    private static func row(_ setting: Setting) -> [String] {
        var meaning = setting.meaning
        if !setting.words.isEmpty { meaning += " One of: \(setting.words.joined(separator: ", "))." }
        if setting.isSecret { meaning += " Secret." }
        return [setting.name, setting.kind.rawValue, setting.standard.isEmpty ? "-" : setting.standard, meaning]
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
