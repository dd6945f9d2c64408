// SPDX-License-Identifier: Apache-2.0
package import JSON

/// Reads the members of a request's object and collects everything that is wrong with them, so that a client learns
/// all at once.
///
/// A getter whose field is wrong notes it and returns a stand-in; ``read(_:_:)`` throws before anyone sees it. Members
/// nobody asks for are ignored. For optional ones null counts as absent, except where a ``FieldChange`` is read.
package struct RequestFields {
    let members: JSONObject
    private let path: String
    private(set) var errors: [APIError.FieldError] = []

    init(_ members: JSONObject, path: String = "") {
        self.members = members
        self.path = path
    }

    /// Reads an object with the body, then throws `validation_failed` with all that was found.
    package static func read<Value>(
        _ members: JSONObject, _ body: (inout RequestFields) -> Value
    ) throws(APIError) -> Value {
        var fields = RequestFields(members)
        let value = body(&fields)
        guard fields.errors.isEmpty else { throw .validation(fields.errors) }
        return value
    }

    /// Notes what only the caller can find wrong.
    package mutating func fail(_ name: String, _ message: String) {
        errors.append(APIError.FieldError(field: place(of: name), message: message))
    }

    /// Whether a member is there and not null.
    package func has(_ name: String) -> Bool { value(name) != nil }

    /// Whether a member is there, be it null.
    package func mentions(_ name: String) -> Bool { members[name] != nil }

    func value(_ name: String) -> JSONValue? {
        guard let value = members[name], !value.isNull else { return nil }
        return value
    }

    func place(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// A member that must be there, else noted; the stand-in is returned when it is not.
    mutating func required<Value>(_ name: String, _ value: Value?, else standIn: @autoclosure () -> Value) -> Value {
        if let value { return value }
        if !has(name) { fail(name, "is required") }
        return standIn()
    }

    /// Converts a member that is there; notes what is wrong with it.
    mutating func optional<Value>(
        _ name: String, _ requirement: @autoclosure () -> String, _ convert: (JSONValue) -> Value?
    ) -> Value? {
        guard let value = value(name) else { return nil }
        if let converted = convert(value) { return converted }
        fail(name, requirement())
        return nil
    }

    /// Reads an object within this one.
    mutating func nested<Value>(
        _ object: JSONObject, at path: String, _ body: (inout RequestFields) -> Value
    ) -> Value {
        var fields = RequestFields(object, path: path)
        let value = body(&fields)
        errors += fields.errors
        return value
    }
}
