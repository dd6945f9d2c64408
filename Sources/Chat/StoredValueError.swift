// SPDX-License-Identifier: Apache-2.0
import JSON

/// A stored JSON value that does not have the shape this version of the program writes. Never retryable: the bytes will
/// not change. `description` names the field, never its content.
package struct StoredValueError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field that is missing or of another type; empty for the value as a whole.
    package let field: String

    /// What is wrong with it.
    package let reason: String

    /// The field and what is wrong with it, for the log.
    package var description: String { field.isEmpty ? reason : "\(field): \(reason)" }
}

/// Reads the fields of one stored object, so that every reader names the field that is wrong.
struct StoredObject {
    let members: JSONObject

    init(_ value: JSONValue) throws(StoredValueError) {
        guard let members = value.objectValue else { throw StoredValueError(field: "", reason: "is no object") }
        self.members = members
    }

    func string(_ field: String) throws(StoredValueError) -> String {
        try require(optionalString(field), field)
    }

    func integer(_ field: String) throws(StoredValueError) -> Int {
        try require(optionalInteger(field), field)
    }

    func bool(_ field: String) throws(StoredValueError) -> Bool {
        try require(members[field]?.boolValue, field)
    }

    func value(_ field: String) throws(StoredValueError) -> JSONValue {
        try require(members[field], field)
    }

    func identifier<Tag>(_ field: String) throws(StoredValueError) -> Identifier<Tag> {
        try require(optionalIdentifier(field), field)
    }

    func optionalString(_ field: String) throws(StoredValueError) -> String? {
        try optional(field) { $0.stringValue }
    }

    func optionalInteger(_ field: String) throws(StoredValueError) -> Int? {
        try optional(field) { $0.integerValue.flatMap { Int(exactly: $0) } }
    }

    func optionalIdentifier<Tag>(_ field: String) throws(StoredValueError) -> Identifier<Tag>? {
        try optional(field) { $0.stringValue.flatMap { Identifier($0) } }
    }

    func optional<Value>(
        _ field: String, _ read: (JSONValue) -> Value?
    ) throws(StoredValueError) -> Value? {
        guard let value = members[field], !value.isNull else { return nil }
        return try require(read(value), field)
    }

    private func require<Value>(_ value: Value?, _ field: String) throws(StoredValueError) -> Value {
        guard let value else { throw StoredValueError(field: field, reason: "is missing or of another type") }
        return value
    }
}
