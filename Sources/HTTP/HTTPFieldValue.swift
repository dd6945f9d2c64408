// SPDX-License-Identifier: Apache-2.0

/// A header field's value without control characters: the type that makes header injection impossible.
///
/// It comes from a literal, a number or a checked string; interpolated text does not convert by itself.
package struct HTTPFieldValue: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// Without surrounding spaces or tabs.
    package let text: String

    /// Checks text that was made at run time.
    ///
    /// - Throws: `invalidFieldValue` on a control character other than a tab inside the value.
    package init(_ text: String) throws(HTTPError) {
        guard text.utf8.allSatisfy(ASCII.isFieldContent) else {
            throw HTTPError(.invalidFieldValue, "A header field's value must not hold control characters.")
        }
        self.text = ASCII.trimmed(text)
    }

    /// A value from a literal; one with control characters is a programming error.
    package init(stringLiteral literal: String) {
        precondition(literal.utf8.allSatisfy(ASCII.isFieldContent), "a header field's value holds control characters")
        text = ASCII.trimmed(literal)
    }

    /// A decimal number.
    package init(_ number: Int) { text = String(number) }

    /// Text of which every control character becomes a space, for values that are only of interest to people.
    package init(replacingControls text: String) {
        self.text = ASCII.trimmed(
            String(decoding: text.utf8.map { ASCII.isFieldContent($0) ? $0 : UInt8(ascii: " ") }, as: UTF8.self))
    }

    /// The value itself.
    package var description: String { text }
}
