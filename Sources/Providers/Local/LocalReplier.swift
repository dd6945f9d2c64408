// SPDX-License-Identifier: Apache-2.0
import Chat

/// Answers by rules, so that everything around a model can be tried without one. Pure and deterministic.
enum LocalReplier {
    static func reply(to messages: [ChatMessage]) -> String {
        let question = messages.last { $0.role == .user }?.content ?? ""
        if isTitlePrompt(messages) { return Title.fallback(userText: question) ?? "Conversation" }
        let text = question.trimmed
        guard !text.isEmpty else { return "I did not receive any text. Write something and I will answer." }
        if let words = repeated(text) { return words }
        if let sum = arithmetic(text) { return sum }
        if asksForEarlier(text) { return earlier(messages) }
        if isGreeting(text) {
            return "Hello! I am the built-in local model: no network, no key, always the same answer. "
                + "Add a provider in the settings to talk to a larger one."
        }
        return general(text, turns: messages.count { $0.role == .user })
    }

    /// The prompt that makes titles is known word for word.
    private static func isTitlePrompt(_ messages: [ChatMessage]) -> Bool {
        guard let first = messages.first, first.role == .system else { return false }
        return first.content == Title.prompt(userText: "").first?.content
    }

    private static func general(_ text: String, turns: Int) -> String {
        let words = text.split(whereSeparator: \.isWhitespace)
        let quote = words.prefix(12).joined(separator: " ") + (words.count > 12 ? " …" : "")
        let size = words.count == 1 ? "one word" : "\(words.count) words"
        let kind = text.last == "?" ? "You asked" : "You wrote"
        let turn = turns > 1 ? " This is message \(turns) of our conversation." : ""
        return "\(kind): “\(quote)” (\(size)).\(turn) I am the built-in local model and answer by simple rules: I can "
            + "repeat what you say (“repeat …”), do small sums (“12 * 7”), and recall what you said before."
    }

    private static func isGreeting(_ text: String) -> Bool {
        let first = text.lowercased().split { !$0.isLetter }.first.map(String.init) ?? ""
        return ["hello", "hi", "hey", "hallo", "bonjour", "hola", "ciao", "servus", "moin"].contains(first)
            && text.split(whereSeparator: \.isWhitespace).count <= 4
    }

    private static func repeated(_ text: String) -> String? {
        let parts = text.split(maxSplits: 1, whereSeparator: \.isWhitespace)
        guard parts.count == 2, ["repeat", "repeat:", "echo", "echo:", "say"].contains(parts[0].lowercased()) else {
            return nil
        }
        return String(parts[1])
    }

    private static func asksForEarlier(_ text: String) -> Bool {
        let words = text.lowercased()
        return words.hasPrefix("what did i") || words.contains("my first message") || words.contains("did i say before")
    }

    private static func earlier(_ messages: [ChatMessage]) -> String {
        let said = messages.filter { $0.role == .user }.dropLast()
        guard let first = said.first, let last = said.last else { return "This is your first message." }
        if said.count == 1 { return "Before this you said: “\(first.content)”" }
        return "You began with “\(first.content)”, and just before this you said “\(last.content)”."
    }

    /// One operation on two numbers, with anything before it and a question mark after it.
    private static func arithmetic(_ text: String) -> String? {
        let tokens = text.split { $0.isWhitespace || $0 == "?" || $0 == "=" }
        guard tokens.count >= 3, let left = Double(tokens[tokens.count - 3]),
            let right = Double(tokens[tokens.count - 1])
        else { return nil }
        let sign = tokens[tokens.count - 2]
        let result: Double
        switch sign {
        case "+": result = left + right
        case "-", "−": result = left - right
        case "*", "x", "×", "·": result = left * right
        case "/", "÷", ":":
            guard right != 0 else { return "Nothing can be divided by zero." }
            result = left / right
        default: return nil
        }
        return "\(number(left)) \(sign) \(number(right)) = \(number(result))"
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map(String.init) ?? value.description
    }
}

extension String {
    fileprivate var trimmed: String {
        guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace })
        else {
            return ""
        }
        return String(self[start...end])
    }
}
