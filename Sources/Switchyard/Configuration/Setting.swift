// SPDX-License-Identifier: Apache-2.0

/// One environment variable: what `switchyard config` prints of it and how its text is read.
struct Setting: Sendable {
    enum Kind: String, Sendable {
        case text
        case integer
        case milliseconds
        case boolean
        case word
    }

    let name: String
    let kind: Kind
    /// As text; empty when there is none.
    let standard: String
    let meaning: String
    var isSecret = false
    /// Accepted numbers, or the only accepted words.
    var range: ClosedRange<Int> = 0...Int.max
    var words: [String] = []

    static func text(_ name: String, _ standard: String, _ meaning: String, secret: Bool = false) -> Setting {
        Setting(name: name, kind: .text, standard: standard, meaning: meaning, isSecret: secret)
    }

    static func integer(_ name: String, _ standard: Int, in range: ClosedRange<Int>, _ meaning: String) -> Setting {
        Setting(name: name, kind: .integer, standard: "\(standard)", meaning: meaning, range: range)
    }

    static func milliseconds(
        _ name: String, _ standard: Int, in range: ClosedRange<Int> = 0...86_400_000, _ meaning: String
    ) -> Setting {
        Setting(name: name, kind: .milliseconds, standard: "\(standard)", meaning: meaning, range: range)
    }

    static func boolean(_ name: String, _ standard: Bool, _ meaning: String) -> Setting {
        Setting(name: name, kind: .boolean, standard: "\(standard)", meaning: meaning)
    }

    static func word(_ name: String, _ standard: String, of words: [String], _ meaning: String) -> Setting {
        Setting(name: name, kind: .word, standard: standard, meaning: meaning, words: words)
    }
}
