// SPDX-License-Identifier: Apache-2.0

/// A statement and its values. Only literals make one, so text that came from outside cannot become SQL.
///
/// ```swift
/// let sql: SQL = "SELECT text FROM messages WHERE user_id = \(user) AND id = ANY(\(ids))"
/// let page: SQL = "\(fragment: sql) ORDER BY id LIMIT \(limit)"
/// ```
/// `\(value)` becomes `$n`; `\(fragment:)` puts in another statement with its values, renumbered. The text alone
/// decides what is prepared: build it of few constant parts, never one a value.
/// Cost: three allocations a statement, however many values it has.
package struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// One value: where its `$n` stands in the text, and where its bytes lie in the buffer.
    struct Bind: Sendable {
        let textOffset: Int
        let type: PostgresType
        let range: Range<Int>
        let isNull: Bool
    }

    /// What the server is sent.
    private(set) var text: String
    private(set) var binds: [Bind]
    private(set) var writer: PostgresWriter
    private(set) var isPrepared = true

    /// The same statement, not kept prepared: for what is run once, like DDL.
    package var unprepared: SQL {
        var copy = self
        copy.isPrepared = false
        return copy
    }

    /// A statement without values.
    package init(stringLiteral value: StaticString) {
        text = value.description
        binds = []
        writer = PostgresWriter()
    }

    /// A statement with values.
    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.statement
    }

    private init(capacity: Int, bindCount: Int) {
        text = ""
        text.reserveCapacity(capacity)
        binds = []
        binds.reserveCapacity(bindCount)
        writer = PostgresWriter()
    }

    /// Puts statements together with a constant between them.
    package static func joined(_ parts: some Sequence<SQL>, separator: SQL) -> SQL {
        var whole = SQL(capacity: 0, bindCount: 0)
        for (index, part) in parts.enumerated() {
            if index > 0 { whole.append(separator) }
            whole.append(part)
        }
        return whole
    }

    private mutating func bind<Value: PostgresEncodable>(_ value: Value) {
        let start = writer.bytes.count
        value.encode(into: &writer)
        appendBind(Value.postgresType, start..<writer.bytes.count, isNull: value.isPostgresNull)
    }

    private mutating func appendBind(_ type: PostgresType, _ range: Range<Int>, isNull: Bool) {
        binds.append(Bind(textOffset: text.utf8.count, type: type, range: range, isNull: isNull))
        text += "$"
        text += String(binds.count)
    }

    private mutating func append(_ fragment: SQL) {
        let utf8 = fragment.text.utf8
        var position = utf8.startIndex
        let shift = writer.bytes.count
        writer.append(contentsOf: fragment.writer.bytes)
        if !fragment.isPrepared { isPrepared = false }
        if let refusal = fragment.writer.refusal { writer.refuse(refusal) }
        for (index, bind) in fragment.binds.enumerated() {
            let placeholder = utf8.index(utf8.startIndex, offsetBy: bind.textOffset)
            text += fragment.text[position..<placeholder]
            position = utf8.index(placeholder, offsetBy: 1 + String(index + 1).utf8.count)
            appendBind(
                bind.type, bind.range.lowerBound + shift..<bind.range.upperBound + shift, isNull: bind.isNull)
        }
        text += fragment.text[position...]
    }

    /// Gathers the parts of a literal.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var statement: SQL

        /// Reserves for the parts.
        package init(literalCapacity: Int, interpolationCount: Int) {
            statement = SQL(capacity: literalCapacity + 4 * interpolationCount, bindCount: interpolationCount)
        }

        /// Constant text. A `String` variable does not compile here.
        package mutating func appendLiteral(_ literal: StaticString) {
            statement.text += literal.description
        }

        /// A value, sent apart from the text.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) { statement.bind(value) }

        /// A value or NULL.
        package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) { statement.bind(value) }

        /// Another statement, which was made of literals itself.
        package mutating func appendInterpolation(fragment: SQL) { statement.append(fragment) }
    }
}

extension SQL {
    /// What libpq and the protocol cannot carry, found before anything is sent.
    func checkSendable() throws(PostgresError) {
        let size = writer.bytes.count + text.utf8.count
        if writer.refusal == nil, binds.count <= 65_535, size < 1_000_000_000 { return }
        let reason =
            switch writer.refusal {
            case .nulInText: "a text holds U+0000"
            case .outOfRange, nil: "the values are too many or too large"
            }
        throw PostgresError(.invalidStatement, detail: reason).during(text)
    }
}
