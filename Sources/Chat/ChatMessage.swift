// SPDX-License-Identifier: Apache-2.0

/// One turn as a prompt holds it, the same for every provider.
package struct ChatMessage: Sendable, Hashable {
    /// Who speaks.
    package var role: MessageRole
    /// The text; with parts, the text beside them.
    package var content: String
    /// What is more than text, in the order given.
    package var parts: [MessagePart]
    /// The speaker, where several share a role; sent as ``wireName(_:)`` makes it.
    package var name: String?
    /// The function calls of an assistant turn.
    package var toolCalls: [ToolCall]
    /// The call that a tool's message answers.
    package var toolCallID: String?

    /// Plain text unless more is given.
    package init(
        role: MessageRole, content: String, parts: [MessagePart] = [], name: String? = nil,
        toolCalls: [ToolCall] = [], toolCallID: String? = nil
    ) {
        self.role = role
        self.content = content
        self.parts = parts
        self.name = name
        self.toolCalls = toolCalls
        self.toolCallID = toolCallID
    }

    /// A name as every provider takes it: what is outside `[a-zA-Z0-9_-]` becomes `_`, at most 64 characters; `nil`
    /// when nothing is left to say.
    package static func wireName(_ name: String) -> String? {
        guard !name.isEmpty else { return nil }
        var wire = ""
        for scalar in name.unicodeScalars.prefix(64) {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-": wire.unicodeScalars.append(scalar)
            default: wire.append("_")
            }
        }
        return wire
    }
}
