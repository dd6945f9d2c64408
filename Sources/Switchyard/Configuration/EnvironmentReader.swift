// SPDX-License-Identifier: Apache-2.0
import Observability

/// Reads settings from an environment and collects what is wrong with them, all of it.
struct EnvironmentReader {
    private let environment: [String: String]
    private(set) var problems: [String] = []

    init(_ environment: [String: String]) {
        self.environment = environment
    }

    mutating func text(_ setting: Setting) -> String {
        guard let text = environment[setting.name], !text.isEmpty else { return setting.standard }
        if setting.kind == .word && !setting.words.contains(text) {
            problems.append("\(setting.name) must be one of \(setting.words.joined(separator: ", "))")
            return setting.standard
        }
        return text
    }

    mutating func optional(_ setting: Setting) -> String? {
        let text = text(setting)
        return text.isEmpty ? nil : text
    }

    mutating func secret(_ setting: Setting) -> Secret? {
        optional(setting).map { Secret($0) }
    }

    mutating func integer(_ setting: Setting) -> Int {
        let text = text(setting)
        guard let number = Int(text), setting.range.contains(number) else {
            let upper = setting.range.upperBound == .max ? "" : " to \(setting.range.upperBound)"
            problems.append("\(setting.name) must be a whole number from \(setting.range.lowerBound)\(upper)")
            return Int(setting.standard) ?? 0
        }
        return number
    }

    mutating func duration(_ setting: Setting) -> Duration { .milliseconds(integer(setting)) }

    mutating func boolean(_ setting: Setting) -> Bool {
        switch text(setting).lowercased() {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off": return false
        default:
            problems.append("\(setting.name) must be true or false")
            return setting.standard == "true"
        }
    }

    /// `true` is one, which is also how a number is read as a boolean.
    mutating func proxies(_ setting: Setting) -> Int {
        let text = text(setting)
        if let number = Int(text), (0...16).contains(number) { return number }
        switch text.lowercased() {
        case "true", "yes", "on": return 1
        case "false", "no", "off": return 0
        default:
            problems.append("\(setting.name) must be true, false or a number of proxies up to 16")
            return 0
        }
    }

    mutating func refuse(_ problem: String) { problems.append(problem) }
}
