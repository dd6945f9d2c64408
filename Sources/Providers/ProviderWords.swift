// SPDX-License-Identifier: Apache-2.0
import Observability

/// Makes a provider's words fit for the log: some repeat the key they were sent.
enum ProviderWords {
    private static let limitCharacters = 500

    /// Without the key, without anything that looks like one, on one line, cut short.
    static func redacted(_ words: String, apiKey: Secret?) -> String {
        var text = String(words.prefix(limitCharacters * 2))
        if let key = apiKey?.revealed(), key.utf8.count >= 4 { text = text.replacing(key, with: "***") }
        let parts = text.split(omittingEmptySubsequences: true) { $0.isWhitespace || $0.isNewline }
        return String(parts.map(redacted).joined(separator: " ").prefix(limitCharacters))
    }

    /// Vendors' keys begin with a known prefix, or are long runs of letters and digits.
    private static func redacted(_ word: Substring) -> String {
        let token = word.drop { !$0.isLetter && !$0.isNumber }
        let prefixes = ["sk-", "sk_", "pk-", "AIza", "gsk_", "xai-", "key-"]
        let isLong = token.utf8.count >= 40 && token.allSatisfy(isKeyCharacter)
        let isKey = isLong || prefixes.contains { token.hasPrefix($0) }
        return isKey ? "***" : String(word)
    }

    private static func isKeyCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character))
    }
}
