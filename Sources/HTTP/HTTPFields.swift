// SPDX-License-Identifier: Apache-2.0

/// Header fields in order, looked up without regard to case.
///
/// Cost: a lookup walks the list; a request has at most a hundred fields and usually ten.
package struct HTTPFields: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    /// One line of a header section.
    package struct Field: Sendable, Equatable {
        /// As written.
        package let name: HTTPFieldName
        /// Without surrounding blanks.
        package let value: HTTPFieldValue
    }

    private var fields: [Field] = []

    /// No fields.
    package init() {}

    /// Fields in the order of the literal; a repeated name stays repeated.
    package init(dictionaryLiteral elements: (HTTPFieldName, HTTPFieldValue)...) {
        fields = elements.map { Field(name: $0.0, value: $0.1) }
    }

    /// How many lines there are, repeated names counted each.
    package var count: Int { fields.count }

    /// The text of the first field of that name.
    package subscript(_ name: HTTPFieldName) -> String? {
        fields.first { $0.name == name }?.value.text
    }

    /// The texts of all fields of that name, in order.
    package func values(_ name: HTTPFieldName) -> [String] {
        fields.lazy.filter { $0.name == name }.map(\.value.text)
    }

    /// Whether a list-valued field holds a member, compared without regard to case (`Connection: close`).
    package func hasMember(_ member: String, in name: HTTPFieldName) -> Bool {
        values(name).contains { list in
            list.utf8.split(separator: UInt8(ascii: ","))
                .contains { ASCII.equalsIgnoringCase(ASCII.trimmed(String(Substring($0))), member) }
        }
    }

    /// Replaces every field of that name by one at the end of the list.
    package mutating func set(_ name: HTTPFieldName, _ value: HTTPFieldValue) {
        remove(name)
        fields.append(Field(name: name, value: value))
    }

    /// Adds a line and keeps those of the same name.
    package mutating func append(_ name: HTTPFieldName, _ value: HTTPFieldValue) {
        fields.append(Field(name: name, value: value))
    }

    /// Removes every field of that name.
    package mutating func remove(_ name: HTTPFieldName) {
        fields.removeAll { $0.name == name }
    }
}

extension HTTPFields: RandomAccessCollection {
    /// For iteration in order.
    package var startIndex: Int { 0 }
    /// For iteration in order.
    package var endIndex: Int { fields.count }
    /// The line at a position.
    package subscript(position: Int) -> Field { fields[position] }
}
