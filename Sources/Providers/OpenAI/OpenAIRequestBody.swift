// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON

/// A chat request in OpenAI's form.
struct OpenAIRequestBody {
    /// Members that may be left out when a server refuses them: without them the answer is another, but still one.
    static let optionalParameters: Set<String> = [
        "temperature", "top_p", "max_tokens", "max_completion_tokens", "stream_options", "presence_penalty",
        "frequency_penalty", "seed", "stop", "user", "reasoning_effort", "parallel_tool_calls", "logit_bias",
        "metadata", "store", "service_tier",
    ]

    let request: ProviderRequest
    let streams: Bool
    /// Refused by the server, or known to be.
    let omitted: Set<String>

    /// Models that think take `developer`, `max_completion_tokens`, and no sampling parameters.
    static func isReasoningModel(_ model: String) -> Bool {
        let name = (model.split(separator: "/").last ?? "").lowercased()
        if name.hasPrefix("gpt-5") { return !name.contains("chat") }
        let second = name.dropFirst().first
        return name.hasPrefix("o") && second.map { "1345".contains($0) } == true
            && (name.count == 2 || name.dropFirst(2).first == "-")
    }

    func encode() -> [UInt8] {
        let reasons = Self.isReasoningModel(request.model)
        let systemRole = reasons ? "developer" : "system"
        return JSONWriter.object { body in
            body.member("model", request.model)
            body.arrayMember("messages") { list in
                for message in request.messages { Self.write(message, systemRole: systemRole, to: &list) }
            }
            for (name, value) in parameters(reasons: reasons) { body.member(name, value) }
        }
    }

    /// The names of what is sent beside model and messages.
    var sentParameters: Set<String> {
        Set(parameters(reasons: Self.isReasoningModel(request.model)).map(\.0))
    }

    private func parameters(reasons: Bool) -> [(String, JSONValue)] {
        var list: [(String, JSONValue)] = []
        func add(_ name: String, _ value: JSONValue?) {
            guard let value, !omitted.contains(name), !list.contains(where: { $0.0 == name }) else { return }
            list.append((name, value))
        }
        if streams {
            add("stream", true)
            add("stream_options", ["include_usage": true])
        }
        if !reasons {
            add("temperature", request.temperature.map(JSONValue.number))
            add("top_p", request.topP.map(JSONValue.number))
        }
        if let limit = request.maxTokens {
            // Servers know one name or the other; a refused name is replaced before it is given up.
            let names = reasons ? ["max_completion_tokens", "max_tokens"] : ["max_tokens", "max_completion_tokens"]
            if let name = names.first(where: { !omitted.contains($0) }) { add(name, .integer(Int64(limit))) }
        }
        if !request.stop.isEmpty { add("stop", .array(request.stop.map(JSONValue.string))) }
        if !request.tools.isEmpty {
            add("tools", .array(request.tools))
            add("tool_choice", request.toolChoice)
        }
        add("reasoning_effort", request.reasoningEffort.map(JSONValue.string))
        let own: Set<String> = ["model", "messages", "stream", "stream_options", "n"]
        for (name, value) in request.extraParameters.members where !own.contains(name) { add(name, value) }
        return list
    }

    // MARK: Messages

    private static func write(_ message: ChatMessage, systemRole: String, to list: inout JSONWriter) {
        list.object { item in
            let isInstruction = message.role == .system || message.role == .developer
            item.member("role", isInstruction ? systemRole : message.role.rawValue)
            if let name = message.name.flatMap(ChatMessage.wireName) { item.member("name", name) }
            writeContent(of: message, to: &item)
            if !message.toolCalls.isEmpty { writeCalls(message.toolCalls, to: &item) }
            if let id = message.toolCallID { item.member("tool_call_id", id) }
        }
    }

    private static func writeContent(of message: ChatMessage, to item: inout JSONWriter) {
        if message.parts.isEmpty {
            if message.content.isEmpty && !message.toolCalls.isEmpty {
                item.nullMember("content")
            } else {
                item.member("content", message.content)
            }
            return
        }
        item.arrayMember("content") { parts in
            if !message.content.isEmpty { writeText(message.content, to: &parts) }
            for case .text(let text) in message.parts { writeText(text, to: &parts) }
            for case .image(let image) in message.parts {
                parts.object { part in
                    part.member("type", "image_url")
                    part.objectMember("image_url") { address in
                        address.member("url", image.address)
                        address.member("detail", image.detail.rawValue)
                    }
                }
            }
        }
    }

    private static func writeText(_ text: String, to parts: inout JSONWriter) {
        parts.object { part in
            part.member("type", "text")
            part.member("text", text)
        }
    }

    private static func writeCalls(_ calls: [ToolCall], to item: inout JSONWriter) {
        item.arrayMember("tool_calls") { list in
            for call in calls {
                list.object { entry in
                    entry.member("id", call.id)
                    entry.member("type", "function")
                    entry.objectMember("function") { function in
                        function.member("name", call.name)
                        function.member("arguments", call.arguments)
                    }
                }
            }
        }
    }
}
