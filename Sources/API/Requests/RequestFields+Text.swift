// SPDX-License-Identifier: Apache-2.0
package import Chat
import JSON
package import Persistence

/// What a text must be like. Text is stored as sent, so nothing is trimmed before it is measured.
package struct TextRule: Sendable {
    /// In Unicode scalars, which do not depend on a table of graphemes as characters do.
    package var length: ClosedRange<Int>
    /// Why a text of the right length is refused all the same; `nil` accepts it.
    package var refusal: @Sendable (String) -> String?

    /// Any text of that many Unicode scalars.
    package init(length: ClosedRange<Int>, refusal: @escaping @Sendable (String) -> String? = { _ in nil }) {
        self.length = length
        self.refusal = refusal
    }

    /// At most that many Unicode scalars, and more than white space.
    package static func notBlank(upTo maximum: Int) -> TextRule {
        TextRule(length: 1...maximum) { $0.allSatisfy(\.isWhitespace) ? "must not be blank" : nil }
    }

    /// The end of a sentence that says what is wrong.
    func problem(with text: String) -> String? {
        let count = text.unicodeScalars.count
        guard length.contains(count) else {
            if length.lowerBound <= 0 { return "must have at most \(length.upperBound) characters" }
            if count == 0 { return "must not be empty" }
            return "must have \(length.lowerBound) to \(length.upperBound) characters"
        }
        return refusal(text)
    }
}

extension RequestFields {
    /// Text that must be there.
    package mutating func string(_ name: String, _ rule: TextRule) -> String {
        required(name, optionalString(name, rule), else: "")
    }

    /// Text that may be absent.
    package mutating func optionalString(_ name: String, _ rule: TextRule) -> String? {
        guard let text = optional(name, "must be text", \.stringValue) else { return nil }
        if let problem = rule.problem(with: text) {
            fail(name, problem)
            return nil
        }
        return text
    }

    /// Text that null removes and absence keeps.
    package mutating func stringChange(_ name: String, _ rule: TextRule) -> FieldChange<String> {
        change(name) { fields in fields.optionalString(name, rule) }
    }

    /// A word of an enumeration that must be there.
    package mutating func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String, of type: Word.Type = Word.self, else standIn: Word
    ) -> Word {
        required(name, optionalWord(name, of: type), else: standIn)
    }

    /// A word of an enumeration that may be absent.
    package mutating func optionalWord<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String, of type: Word.Type = Word.self
    ) -> Word? {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return optional(name, "must be one of \(words)") { $0.stringValue.flatMap(Word.init(rawValue:)) }
    }

    /// An id that must be there.
    package mutating func id<Tag>(_ name: String) -> Identifier<Tag> {
        required(name, optionalID(name), else: Identifier(high: 0, low: 0))
    }

    /// An id that may be absent.
    package mutating func optionalID<Tag>(_ name: String) -> Identifier<Tag>? {
        optional(name, "must be an id") { $0.stringValue.flatMap { Identifier($0) } }
    }

    /// An id that null removes and absence keeps.
    package mutating func idChange<Tag>(_ name: String) -> FieldChange<Identifier<Tag>> {
        change(name) { fields in fields.optionalID(name) }
    }

    private mutating func change<Value>(
        _ name: String, _ read: (inout RequestFields) -> Value?
    ) -> FieldChange<Value> {
        guard mentions(name) else { return .keep }
        return .set(read(&self))
    }
}
