// SPDX-License-Identifier: Apache-2.0

extension JSONWriter {
    /// Writes a member whose value is text.
    package mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    /// Writes a member whose value is an integer.
    package mutating func member(_ name: String, _ value: some BinaryInteger) {
        key(name)
        integer(value)
    }

    /// Writes a member whose value is a floating-point number.
    package mutating func member(_ name: String, _ value: Double) {
        key(name)
        number(value)
    }

    /// Writes a member whose value is a truth value.
    package mutating func member(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Writes a member whose value is a tree.
    package mutating func member(_ name: String, _ value: JSONValue) {
        key(name)
        self.value(value)
    }

    /// Writes a member whose value is null.
    package mutating func nullMember(_ name: String) {
        key(name)
        null()
    }

    /// Writes a member whose value is an object.
    package mutating func objectMember<E: Error>(
        _ name: String, _ body: (inout JSONWriter) throws(E) -> Void
    ) throws(E) {
        key(name)
        try object(body)
    }

    /// Writes a member whose value is an array.
    package mutating func arrayMember<E: Error>(
        _ name: String, _ body: (inout JSONWriter) throws(E) -> Void
    ) throws(E) {
        key(name)
        try array(body)
    }

    /// The bytes of one object.
    package static func object<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) -> [UInt8] {
        var writer = JSONWriter()
        try writer.object(body)
        return writer.bytes
    }

    /// The bytes of a tree.
    package static func encode(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(value)
        return writer.bytes
    }
}
