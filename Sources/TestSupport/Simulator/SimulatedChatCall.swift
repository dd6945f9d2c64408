// SPDX-License-Identifier: Apache-2.0
import JSON

/// What the simulator needs to know of a chat request's body.
struct SimulatedChatCall {
    let model: String
    let streams: Bool
    let wantsUsage: Bool
    let maxTokens: Int?
    let lastUserMessage: String?
    /// A quarter of the text's bytes: an estimate that tests can repeat.
    let promptTokenCount: Int

    init(_ body: JSONValue) {
        model = body["model"]?.stringValue ?? ""
        streams = body["stream"]?.boolValue ?? false
        wantsUsage = body["stream_options"]?["include_usage"]?.boolValue ?? false
        maxTokens = (body["max_completion_tokens"] ?? body["max_tokens"])?.integerValue.map { Int($0) }
        let messages = body["messages"]?.arrayValue ?? []
        lastUserMessage = messages.last { $0["role"]?.stringValue == "user" }.map(Self.text)
        promptTokenCount = (messages.reduce(0) { $0 + Self.text(of: $1).utf8.count } + 3) / 4
    }

    private static func text(of message: JSONValue) -> String {
        if let text = message["content"]?.stringValue { return text }
        return (message["content"]?.arrayValue ?? []).compactMap { $0["text"]?.stringValue }.joined()
    }
}
