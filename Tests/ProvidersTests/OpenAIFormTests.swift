// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Observability
import Testing

@testable import Providers

@Suite(.timeLimit(.minutes(1)))
struct OpenAIFormTests {
    private func request(_ model: String) -> ProviderRequest {
        ProviderRequest(
            endpoint: ProviderEndpoint(baseURL: ""), model: model,
            messages: [ChatMessage(role: .system, content: "Be kind."), ChatMessage(role: .user, content: "Hi")])
    }

    private func json(_ request: ProviderRequest, streams: Bool = false, omitted: Set<String> = []) throws -> JSONValue
    {
        try JSONParser.parse(OpenAIRequestBody(request: request, streams: streams, omitted: omitted).encode())
    }

    @Test(arguments: [
        ("", "https://api.openai.com/v1/chat/completions"),
        ("http://h/v1", "http://h/v1/chat/completions"), ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h:8080", "http://h:8080/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions/", "http://h/v1/chat/completions"),
        ("http://h/v1/models", "http://h/v1/chat/completions"),
        ("http://h/v1?api-version=2", "http://h/v1/chat/completions?api-version=2"),
    ])
    func `an address is cut to its base`(_ base: String, _ url: String) {
        #expect(OpenAIEndpoint.url("/chat/completions", base: base) == url)
    }

    @Test(arguments: [
        ("gpt-4o", false), ("gpt-4.1", false), ("o1", true), ("o3-mini", true), ("o4-mini", true), ("gpt-5", true),
        ("gpt-5-mini", true), ("gpt-5-chat-latest", false), ("openai/o3", true), ("olmo-2", false), ("o1x", false),
        ("ollama", false), ("o", false), ("", false),
    ])
    func `models that think are known by name`(_ model: String, _ reasons: Bool) {
        #expect(OpenAIRequestBody.isReasoningModel(model) == reasons)
    }

    @Test func `an ordinary model gets system, temperature and max_tokens`() throws {
        var request = request("gpt-4o")
        request.temperature = 0.5
        request.topP = 1
        request.maxTokens = 10
        request.stop = ["END"]
        request.extraParameters = ["seed": 3, "temperature": 2, "stream": true, "model": "other"]
        let body = try json(request)
        #expect(
            body == [
                "model": "gpt-4o",
                "messages": [["role": "system", "content": "Be kind."], ["role": "user", "content": "Hi"]],
                "temperature": 0.5, "top_p": 1.0, "max_tokens": 10, "stop": ["END"], "seed": 3,
            ])
    }

    @Test func `a model that thinks gets developer, max_completion_tokens and no temperature`() throws {
        var request = request("o3")
        request.temperature = 0.5
        request.topP = 1
        request.maxTokens = 10
        request.reasoningEffort = "low"
        let body = try json(request, streams: true)
        #expect(body["messages"]?[0]?["role"] == "developer")
        #expect(body["max_completion_tokens"] == 10)
        #expect(body["reasoning_effort"] == "low")
        #expect(body["temperature"] == nil)
        #expect(body["top_p"] == nil)
        #expect(body["stream_options"] == ["include_usage": true])
    }

    @Test func `a refused name of the token limit is replaced by the other`() throws {
        var request = request("gpt-4o")
        request.maxTokens = 10
        #expect(try json(request, omitted: ["max_tokens"])["max_completion_tokens"] == 10)
        let neither = try json(request, omitted: ["max_tokens", "max_completion_tokens"])
        #expect(neither["max_tokens"] == nil && neither["max_completion_tokens"] == nil)
    }

    @Test func `images come after the text, calls and their results in place`() throws {
        var request = request("gpt-4o")
        let call = ToolCall(id: "c1", name: "f", arguments: "{}")
        request.messages = [
            ChatMessage(
                role: .user, content: "look",
                parts: [
                    .image(ImagePart(source: .base64("QUJD"), mime: "image/png", detail: .low)), .text("closely"),
                ], name: "Jörg M."),
            ChatMessage(role: .assistant, content: "", toolCalls: [call]),
            ChatMessage(role: .tool, content: "42", toolCallID: "c1"),
        ]
        let messages = try #require(try json(request)["messages"])
        #expect(
            messages[0] == [
                "role": "user", "name": "J_rg_M_",
                "content": [
                    ["type": "text", "text": "look"], ["type": "text", "text": "closely"],
                    ["type": "image_url", "image_url": ["url": "data:image/png;base64,QUJD", "detail": "low"]],
                ],
            ])
        #expect(
            messages[1] == [
                "role": "assistant", "content": nil,
                "tool_calls": [["id": "c1", "type": "function", "function": ["name": "f", "arguments": "{}"]]],
            ])
        #expect(messages[2] == ["role": "tool", "content": "42", "tool_call_id": "c1"])
    }

    @Test(arguments: [
        (400, #"{"error":{"message":"m","code":"context_length_exceeded"}}"#, ErrorCode.contextLength),
        (400, #"{"error":{"message":"This model's maximum context length is 10"}}"#, .contextLength),
        (400, #"{"error":{"message":"m","code":"content_filter"}}"#, .contentFilter),
        (400, #"{"error":{"message":"m"}}"#, .providerBadResponse),
        (401, "", .providerAuth), (403, "<html>", .providerAuth), (402, "{}", .providerQuota),
        (404, #"{"detail":"Not Found"}"#, .providerBadResponse), (408, "", .providerTimeout),
        (429, #"{"error":{"message":"slow","code":"rate_limit_exceeded"}}"#, .rateLimited),
        (429, #"{"error":{"message":"m","type":"insufficient_quota"}}"#, .providerQuota),
        (429, #"{"error":{"message":"m","code":"credit_balance_exhausted"}}"#, .providerQuota),
        (429, "slow down", .rateLimited), (500, "", .providerUnavailable), (504, "", .providerTimeout),
        (529, #"[{"error":{"message":"Overloaded","code":529}}]"#, .providerUnavailable),
    ])
    func `an error's body and status decide its code`(_ status: Int, _ body: String, _ code: ErrorCode) {
        #expect(OpenAIErrorBody(body: Array(body.utf8)).errorCode(status: status).code == code)
    }

    @Test(arguments: [
        (#"{"error":{"message":"m","param":"temperature"}}"#, "temperature"),
        (#"{"error":{"message":"m","param":"stream_options.include_usage"}}"#, "stream_options"),
        (#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."}}"#, "max_tokens"),
        (#"{"detail":"extra fields not permitted: top_p"}"#, "top_p"),
        (#"{"error":{"message":"please stop that","param":"messages"}}"#, nil as String?),
    ])
    func `a refused parameter is found by name`(_ body: String, _ name: String?) {
        let sent: Set<String> = ["temperature", "max_tokens", "top_p", "stream_options", "stop"]
        #expect(OpenAIErrorBody(body: Array(body.utf8)).refusedParameter(among: sent) == name)
    }

    @Test(arguments: [
        ("7", Duration.seconds(7)), ("0.5", .milliseconds(500)), ("Sun, 06 Nov 1994 08:49:47 GMT", .seconds(10)),
        ("0.001", .milliseconds(1)), ("1e99", .seconds(1_000_000_000)),
        ("0", nil), ("0.0", nil), ("-0", nil), ("-1", nil), ("1e-9", nil), ("nan", nil), ("soon", nil),
        ("Sun, 06 Nov 1994 08:49:00 GMT", nil), ("Sun, 06 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994", nil),
    ])
    func `the wait is read in all its forms`(_ text: String, _ wait: Duration?) throws {
        var fields = HTTPFields()
        fields.set(.retryAfter, try HTTPFieldValue(text))
        // Sun, 06 Nov 1994 08:49:37 GMT
        #expect(RetryAfter.duration(in: fields, now: 784_111_777) == wait)
    }

    @Test(arguments: [("1500", Duration.milliseconds(1500)), ("0", .seconds(7)), ("-1", .seconds(7))])
    func `milliseconds go before seconds where they name a wait`(_ milliseconds: String, _ wait: Duration) throws {
        var fields: HTTPFields = ["Retry-After": "7"]
        fields.set("retry-after-ms", try HTTPFieldValue(milliseconds))
        #expect(RetryAfter.duration(in: fields, now: 0) == wait)
        fields.remove(.retryAfter)
        #expect(RetryAfter.duration(in: fields, now: 0) == (milliseconds == "1500" ? wait : nil))
    }

    /// The answer's own time, the time to wait for, and the wait; our clock says 08:49:37.
    @Test(arguments: [
        ("08:49:30", "08:49:37", Duration.seconds(7)), ("08:40:00", "08:40:10", .seconds(10)),
        ("09:00:00", "09:00:01", .seconds(1)), ("08:49:50", "08:49:50", nil), ("08:49:50", "08:49:40", nil),
        ("soon", "08:49:40", .seconds(3)),
    ])
    func `a date counts from the answer's own`(_ date: String, _ end: String, _ wait: Duration?) throws {
        var fields = HTTPFields()
        fields.set(.date, try HTTPFieldValue("Sun, 06 Nov 1994 \(date) GMT"))
        fields.set(.retryAfter, try HTTPFieldValue("Sun, 06 Nov 1994 \(end) GMT"))
        #expect(RetryAfter.duration(in: fields, now: 784_111_777) == wait)
    }

    @Test(arguments: [
        ("Incorrect API key provided: my-own-key.", "Incorrect API key provided: ***."),
        ("bad key sk-abcdefgh and 'sk-proj-1'", "bad key *** and ***"),
        ("a\nb\r\n  c", "a b c"),
        ("token abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG here", "token *** here"),
    ])
    func `keys do not get into the log`(_ words: String, _ redacted: String) {
        #expect(ProviderWords.redacted(words, apiKey: Secret("my-own-key")) == redacted)
    }

    @Test func `long words are cut`() {
        #expect(ProviderWords.redacted(String(repeating: "no ", count: 2000), apiKey: nil).count == 500)
    }
}
