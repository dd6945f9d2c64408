// SPDX-License-Identifier: Apache-2.0
package import Chat
package import HTTP

/// Reads the parameters of a request's query as ``RequestFields`` reads a body's members. Of a repeated parameter the
/// first counts; those nobody asks for are ignored.
package struct QueryFields {
    private let target: HTTPTarget
    private var errors: [APIError.FieldError] = []

    /// Reads with the body, then throws `validation_failed` with all that was found.
    package static func read<Value>(
        _ target: HTTPTarget, _ body: (inout QueryFields) -> Value
    ) throws(APIError) -> Value {
        var fields = QueryFields(target: target)
        let value = body(&fields)
        guard fields.errors.isEmpty else { throw .validation(fields.errors) }
        return value
    }

    private init(target: HTTPTarget) { self.target = target }

    /// Notes what only the caller can find wrong.
    package mutating func fail(_ name: String, _ message: String) {
        errors.append(APIError.FieldError(field: name, message: message))
    }

    /// The text; an empty parameter counts as absent.
    package func string(_ name: String) -> String? {
        guard let text = target.queryValue(name), !text.isEmpty else { return nil }
        return text
    }

    /// The size of a page: 1 to 100, by default 20.
    package mutating func limit() -> Int { integer("limit", in: 1...100) ?? 20 }

    /// A decimal number.
    package mutating func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
        value(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// `true` or `false`.
    package mutating func bool(_ name: String) -> Bool? { value(name, "must be true or false") { Bool($0) } }

    /// An id.
    package mutating func id<Tag>(_ name: String) -> Identifier<Tag>? {
        value(name, "must be an id") { Identifier($0) }
    }

    /// A cursor that an earlier page gave, or anything else with a text form.
    package mutating func cursor<Cursor: LosslessStringConvertible>(
        _ name: String = "cursor", as type: Cursor.Type = Cursor.self
    ) -> Cursor? {
        value(name, "is not a cursor of this list") { Cursor($0) }
    }

    /// A word of an enumeration.
    package mutating func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String, of type: Word.Type = Word.self
    ) -> Word? {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return value(name, "must be one of \(words)") { Word(rawValue: $0) }
    }

    /// Converts a parameter that is there; notes what is wrong with it.
    package mutating func value<Value>(
        _ name: String, _ requirement: String, _ convert: (String) -> Value?
    ) -> Value? {
        guard let text = string(name) else { return nil }
        if let value = convert(text) { return value }
        fail(name, requirement)
        return nil
    }
}
