// SPDX-License-Identifier: Apache-2.0

/// Lines `NAME=value` of a `.env` file. Quotes around a value are taken off, nothing in it is evaluated.
enum DotEnv {
    /// - Throws: ``ConfigurationError`` naming each line that is none.
    static func parse(_ text: String) throws(ConfigurationError) -> [String: String] {
        var values: [String: String] = [:]
        var problems: [String] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingSpaces
            if line.isEmpty || line.hasPrefix("#") { continue }
            let words = (line.hasPrefix("export ") ? line.dropFirst(7) : line[...]).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard words.count == 2, !words[0].isEmpty, words[0].utf8.allSatisfy(isNameByte) else {
                problems.append(".env, line \(index + 1): not of the form NAME=value")
                continue
            }
            values[String(words[0])] = unquoted(words[1].trimmingSpaces)
        }
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
        return values
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xDF)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func unquoted(_ value: String) -> String {
        for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
            return String(value.dropFirst().dropLast())
        }
        return value
    }
}

extension StringProtocol {
    /// Without blanks, tabs and carriage returns at both ends.
    var trimmingSpaces: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
        let start = drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(start[...last])
    }
}
