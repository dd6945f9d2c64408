// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON

/// Reads what whole answers and streams share, and whole answers.
enum OpenAIAnswer {
    /// The deprecated word for a function call is the present one's synonym.
    static func finishReason(_ word: String) -> FinishReason {
        word == "function_call" ? .toolCalls : FinishReason(rawValue: TextSanitizer.sanitize(word))
    }

    static func usage(_ value: JSONValue) -> ReportedUsage {
        // Bounded: what is added to it cannot overflow, whatever the server says, and the ledger has a column for it.
        func count(_ value: JSONValue?) -> Int? {
            value?.integerValue.flatMap { $0 >= 0 ? Int(min($0, Int64(Int32.max))) : nil }
        }
        return ReportedUsage(
            promptTokens: count(value["prompt_tokens"]), completionTokens: count(value["completion_tokens"]),
            totalTokens: count(value["total_tokens"]),
            cachedPromptTokens: count(value["prompt_tokens_details"]?["cached_tokens"]),
            reasoningTokens: count(value["completion_tokens_details"]?["reasoning_tokens"]))
    }

    /// `nil` when it is no chat completion.
    static func completion(_ value: JSONValue) -> ProviderCompletion? {
        guard let choice = value["choices"]?[0], let message = choice["message"] else { return nil }
        let calls = (message["tool_calls"]?.arrayValue ?? []).map { call in
            ToolCall(
                id: call["id"]?.stringValue ?? "", name: call["function"]?["name"]?.stringValue ?? "",
                arguments: call["function"]?["arguments"]?.stringValue ?? "")
        }
        return ProviderCompletion(
            content: (message["content"]?.stringValue ?? "") + (message["refusal"]?.stringValue ?? ""),
            reasoning: message["reasoning_content"]?.stringValue ?? message["reasoning"]?.stringValue ?? "",
            toolCalls: calls,
            finishReason: finishReason(choice["finish_reason"]?.stringValue ?? "stop"),
            usage: value["usage"].flatMap { $0.objectValue == nil ? nil : usage($0) })
    }
}
