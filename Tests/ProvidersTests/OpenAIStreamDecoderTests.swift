// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Testing

@testable import Providers

@Suite(.timeLimit(.minutes(1)))
struct OpenAIStreamDecoderTests {
    @Test(arguments: [
        (
            #"{"prompt_tokens":9223372036854775807,"completion_tokens":1,"total_tokens":9223372036854775807}"#,
            ReportedUsage(promptTokens: Int(Int32.max), completionTokens: 1, totalTokens: Int(Int32.max))
        ),
        (#"{"prompt_tokens":-1,"completion_tokens":18446744073709551616}"#, ReportedUsage()),
        (#"{"prompt_tokens":"7","completion_tokens":2.5,"total_tokens":null}"#, ReportedUsage()),
    ])
    func `figures of usage are bounded, and what is no count is none`(text: String, usage: ReportedUsage) throws {
        #expect(OpenAIAnswer.usage(try JSONParser.parse(text)) == usage)
    }

    private func decode(_ text: String, chunkBytes: Int) throws(ProviderError) -> [ProviderEvent] {
        var decoder = OpenAIStreamDecoder(apiKey: nil)
        var events: [ProviderEvent] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: chunkBytes) {
            for event in try decoder.feed(Array(bytes[start..<min(start + chunkBytes, bytes.count)])) {
                events.appendJoining(event)
            }
        }
        for event in try decoder.finish() { events.appendJoining(event) }
        return events
    }

    private let stream = """
        data: {"choices":[],"prompt_filter_results":[]}

        data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}

        data:{"choices":[{"index":0,"delta":{"content":"schön "}}]}

        : ping

        data: {"choices":[{"index":0,"delta":{"content":"\\u65e5\\ud83d\\ude42\\u0000"}}]}

        data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c","function":{"name":"f","arguments":""}}]}}]}

        data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,\
        "prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":null}}

        data: [DONE]

        data: nothing of this is read


        """

    @Test(arguments: [1, 2, 3, 7, 64, 100_000])
    func `events do not depend on where the bytes were cut`(_ chunkBytes: Int) throws {
        #expect(
            try decode(stream, chunkBytes: chunkBytes) == [
                .content("schön 日🙂\u{FFFD}"),
                .toolCall(ToolCallDelta(index: 1, id: "c", name: "f", arguments: "")),
                .finish(.stop),
                .usage(
                    ReportedUsage(promptTokens: 3, completionTokens: 4, totalTokens: 7, cachedPromptTokens: 2)),
            ])
    }

    @Test func `a last event without its empty line counts`() throws {
        let events = try decode(
            #"data: {"choices":[{"delta":{"content":"x"},"finish_reason":"length"}]}"#, chunkBytes: 10)
        #expect(events == [.content("x"), .finish(.length)])
    }

    @Test func `text before a failure is returned before it is thrown`() throws {
        var decoder = OpenAIStreamDecoder(apiKey: nil)
        let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {oops\n\n"
        #expect(try decoder.feed(Array(chunk.utf8)) == [.content("x")])
        let error = #expect(throws: ProviderError.self) { try decoder.feed([]) }
        #expect(error?.code == .providerBadResponse)
        #expect(error?.hadOutput == true)
    }

    @Test(arguments: [
        (#"{"error":{"message":"m","type":"server_error"}}"#, ErrorCode.providerUnavailable),
        (#"{"error":{"message":"m","code":429}}"#, .rateLimited),
        (#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#, .rateLimited),
        (#"{"error":{"message":"m","code":"insufficient_quota"}}"#, .providerQuota),
        (#"{"error":"overloaded"}"#, .providerUnavailable),
    ])
    func `an error within the stream has its code`(_ data: String, _ code: ErrorCode) {
        var decoder = OpenAIStreamDecoder(apiKey: nil)
        let error = #expect(throws: ProviderError.self) { try decoder.feed(Array("data: \(data)\n\n".utf8)) }
        #expect(error?.code == code)
        #expect(error?.cause == .streamError)
    }
}
