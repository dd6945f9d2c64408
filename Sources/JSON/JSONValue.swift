// SPDX-License-Identifier: Apache-2.0

/// A JSON document as a tree, for bodies and payloads; deltas go through ``JSONProjection`` instead.
///
/// Integers that fit 64 bits stay exact and are a case of their own: token counts and ids must not pass through
/// floating point.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    /// Whether this is a written null.
    package var isNull: Bool { self == .null }

    /// The truth value, or `nil` for any other type.
    package var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The integer, also when it is written as `3.0` or `3e0`; `nil` for fractions, other types, and what does not fit.
    package var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(integral: value)
        default: nil
        }
    }

    /// The number, exact below 2^53, or `nil` for any other type.
    package var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The text, or `nil` for any other type.
    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The elements, or `nil` for any other type.
    package var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, or `nil` for any other type.
    package var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// A member of an object; `nil` when it is missing or this is no object.
    package subscript(key: String) -> JSONValue? { objectValue?[key] }

    /// An element of an array; `nil` out of range or when this is no array.
    package subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    package init(stringLiteral value: String) { self = .string(value) }
    /// An integer.
    package init(integerLiteral value: Int64) { self = .integer(value) }
    /// A floating-point number.
    package init(floatLiteral value: Double) { self = .number(value) }
    /// A truth value.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An array.
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object; of a repeated key the last value holds.
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
    /// Null.
    package init(nilLiteral: ()) { self = .null }
}

extension Int64 {
    /// The same number when it has no fraction and fits. `Int64(exactly:)` would need the C mathematics library at
    /// link time, which a leaf without C modules does not bring along.
    init?(integral value: Double) {
        guard value >= -0x1p63, value < 0x1p63, Double(Int64(value)) == value else { return nil }
        self.init(value)
    }
}
