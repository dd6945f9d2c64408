// SPDX-License-Identifier: Apache-2.0
import JSON

/// A function call of an assistant turn.
package struct ToolCall: Sendable, Hashable {
    /// The provider's id, which the tool's result must name.
    package var id: String
    /// The function.
    package var name: String
    /// Arguments as the model wrote them: meant to be JSON, but not checked.
    package var arguments: String

    /// See the properties.
    package init(id: String, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }
}

/// A piece of a function call in a stream. Id and name come with the first piece of an index only.
package struct ToolCallDelta: Sendable, Hashable {
    /// Which call of the turn this belongs to.
    package var index: Int
    /// The provider's id, in the first piece.
    package var id: String?
    /// The function, in the first piece.
    package var name: String?
    /// The next characters of the arguments.
    package var arguments: String

    /// See the properties.
    package init(index: Int, id: String? = nil, name: String? = nil, arguments: String = "") {
        self.index = index
        self.id = id
        self.name = name
        self.arguments = arguments
    }

    func writeFields(to writer: inout JSONWriter) {
        if let id { writer.member("id", id) }
        if let name { writer.member("name", name) }
        writer.member("arguments", arguments)
        writer.member("index", index)
    }

    init(_ fields: StoredObject) throws(StoredValueError) {
        self.init(
            index: try fields.integer("index"), id: try fields.optionalString("id"),
            name: try fields.optionalString("name"), arguments: try fields.string("arguments"))
    }
}

/// Joins the pieces of a turn's function calls by their index. Pieces of several calls may come interleaved.
package struct ToolCallAccumulator: Sendable, Equatable {
    private var callsByIndex: [Int: ToolCall] = [:]

    /// Without calls.
    package init() {}

    /// Whether no piece has come.
    package var isEmpty: Bool { callsByIndex.isEmpty }

    /// The calls so far, by index.
    package var calls: [ToolCall] {
        callsByIndex.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Adds a piece. Of a repeated id or name the first that is not empty holds: some servers send both every time.
    package mutating func append(_ delta: ToolCallDelta) {
        var call = callsByIndex.removeValue(forKey: delta.index) ?? ToolCall(id: "", name: "", arguments: "")
        if call.id.isEmpty { call.id = delta.id ?? "" }
        if call.name.isEmpty { call.name = delta.name ?? "" }
        call.arguments += delta.arguments
        callsByIndex[delta.index] = call
    }
}
