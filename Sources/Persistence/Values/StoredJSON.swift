// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON

/// JSON in columns of type `text`: written and read whole, never looked into by SQL.
enum StoredJSON {
    /// The text of a document.
    static func text(_ value: JSONValue) -> String { text(of: JSONWriter.encode(value)) }

    /// The text of what a writer wrote.
    static func text(of bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// The document of a column.
    /// - Throws: `internal`, naming the column and not its content.
    static func parse(_ text: String, column: StaticString) throws(PersistenceError) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(text)
        } catch {
            throw PersistenceError(.internal, detail: "\(column) holds \(error)")
        }
    }

    /// The object of a column.
    static func parseObject(_ text: String, column: StaticString) throws(PersistenceError) -> JSONObject {
        guard let object = try parse(text, column: column).objectValue else {
            throw PersistenceError(.internal, detail: "\(column) holds no object")
        }
        return object
    }
}

extension StoredJSON {
    /// `messages.parts`; NULL when there are none.
    static func text(_ parts: [MessagePart]) -> String? {
        guard !parts.isEmpty else { return nil }
        var writer = JSONWriter()
        writer.array { writer in
            for part in parts { part.write(to: &writer) }
        }
        return text(of: writer.bytes)
    }

    /// Reads `messages.parts`.
    static func parts(_ text: String?) throws(PersistenceError) -> [MessagePart] {
        guard let text else { return [] }
        guard let elements = try parse(text, column: "messages.parts").arrayValue else {
            throw PersistenceError(.internal, detail: "messages.parts holds no array")
        }
        var parts: [MessagePart] = []
        for element in elements {
            do throws(StoredValueError) {
                parts.append(try MessagePart(element))
            } catch {
                throw PersistenceError(.internal, detail: "messages.parts: \(error)")
            }
        }
        return parts
    }

    /// `messages.usage`.
    static func text(_ usage: Usage) -> String {
        text(of: JSONWriter.object { writer in usage.writeFields(to: &writer) })
    }

    /// Reads `messages.usage`.
    static func usage(_ text: String?) throws(PersistenceError) -> Usage? {
        guard let text else { return nil }
        let value = try parse(text, column: "messages.usage")
        do throws(StoredValueError) {
            return try Usage(value)
        } catch {
            throw PersistenceError(.internal, detail: "messages.usage: \(error)")
        }
    }
}
