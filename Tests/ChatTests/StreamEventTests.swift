// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StreamEventTests {
    private static let id = "01234567-89ab-7cde-8f01-23456789abcd"
    private static let high: UInt64 = 0x0123_4567_89ab_7cde
    private static let low: UInt64 = 0x8f01_2345_6789_abcd
    private static let usage = Usage(promptTokens: 9, completionTokens: 12, contextLimit: 100, isEstimated: false)
    private static let usageText =
        #"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"context_limit":100,"context_remaining":79,"estimated":false}"#

    static let table: [(StreamEvent, Int16, String)] = [
        (
            .start(
                StreamStart(
                    messageID: .init(high: high, low: low), userMessageID: .init(high: high, low: low),
                    sessionID: .init(high: high, low: low), jobID: .init(high: high, low: low))),
            1,
            #"{"type":"start","messageId":"\#(id)","userMessageId":"\#(id)","sessionId":"\#(id)","jobId":"\#(id)","attempt":1}"#
        ),
        (
            .start(
                StreamStart(
                    messageID: nil, userMessageID: nil, sessionID: nil, jobID: .init(high: high, low: low), attempt: 2)),
            1, #"{"type":"start","jobId":"\#(id)","attempt":2}"#
        ),
        (.queued(StreamQueued(reason: "session_busy")), 2, #"{"type":"queued","reason":"session_busy"}"#),
        (
            .queued(
                StreamQueued(
                    position: 3, reason: "rate_limited", until: Timestamp(millisecondsSince1970: 1_700_000_000_123))),
            2,
            #"{"type":"queued","position":3,"reason":"rate_limited","until":"2023-11-14T22:13:20.123Z"}"#
        ),
        (
            .usage(Usage(promptTokens: 9, contextLimit: 100, isEstimated: true)), 3,
            #"{"type":"usage","usage":{"prompt_tokens":9,"total_tokens":9,"context_limit":100,"context_remaining":91,"estimated":true}}"#
        ),
        (.usage(usage), 3, #"{"type":"usage","usage":\#(usageText)}"#),
        (.content("Hé \"x\"\n😀"), 4, #"{"type":"content","content":"Hé \"x\"\n😀"}"#),
        (.content(""), 4, #"{"type":"content","content":""}"#),
        (.reasoning("hm"), 5, #"{"type":"reasoning","content":"hm"}"#),
        (
            .toolCall(ToolCallDelta(index: 0, id: "call_1", name: "f", arguments: "{\"")), 6,
            #"{"type":"tool_call","id":"call_1","name":"f","arguments":"{\"","index":0}"#
        ),
        (
            .toolCall(ToolCallDelta(index: 1, arguments: "a\":1}")), 6,
            #"{"type":"tool_call","arguments":"a\":1}","index":1}"#
        ),
        (
            .restart(StreamRestart(attempt: 2, reason: "worker_lost", keptBytes: 17)), 7,
            #"{"type":"restart","attempt":2,"reason":"worker_lost","keep":17}"#
        ),
        (.stop(.stop), 8, #"{"type":"stop","reason":"stop"}"#),
        (.stop(FinishReason(rawValue: "pause_turn")), 8, #"{"type":"stop","reason":"pause_turn"}"#),
        (.end, 9, #"{"type":"end"}"#),
        (
            .complete(
                StreamCompletion(
                    messageID: .init(high: high, low: low), finishReason: .length, usage: usage, contentLengthBytes: 5)),
            10,
            #"{"type":"complete","messageId":"\#(id)","finishReason":"length","usage":\#(usageText),"contentLength":5}"#
        ),
        (
            .error(StreamFailure(code: .rateLimited, message: "Wait.", retryAfterMilliseconds: 1500)), 11,
            #"{"type":"error","code":"rate_limited","error":"Wait.","retryable":true,"retryAfterMs":1500}"#
        ),
        (
            .error(StreamFailure(code: .providerQuota, message: "No.")), 11,
            #"{"type":"error","code":"provider_quota","error":"No.","retryable":false}"#
        ),
        (
            .title(StreamTitle(sessionID: .init(high: high, low: low), title: "A title")), 12,
            #"{"type":"title","sessionId":"\#(id)","title":"A title"}"#
        ),
    ]

    @Test(arguments: table)
    func `an event has the documented fields and reads back`(event: StreamEvent, code: Int16, text: String) throws {
        #expect(event.kind.rawValue == code)
        #expect(String(decoding: event.json, as: UTF8.self) == text)
        #expect(try StreamEvent(json: event.json) == event)
        #expect(StreamEventKind(rawValue: code) == event.kind)
        #expect(StreamEventKind(name: event.kind.name) == event.kind)
    }

    @Test func `the table has every kind, and codes are distinct`() {
        #expect(Set(Self.table.map { $0.0.kind }) == Set(StreamEventKind.allCases))
        #expect(Set(StreamEventKind.allCases.map(\.name)).count == StreamEventKind.allCases.count)
        #expect(StreamEventKind(name: "unknown") == nil)
        #expect(StreamEventKind(rawValue: 0) == nil)
    }

    @Test func `complete and error alone are terminal, and three kinds are output`() {
        #expect(StreamEventKind.allCases.filter(\.isTerminal) == [.complete, .error])
        #expect(StreamEventKind.allCases.filter(\.isOutput) == [.content, .reasoning, .toolCall])
        #expect(Self.table.filter(\.0.isTerminal).count == 3)
    }

    @Test(
        arguments: [
            ("", ""), ("[]", ""), ("{}", "type"), (#"{"type":"other"}"#, "type"), (#"{"type":1}"#, "type"),
            (#"{"type":"content"}"#, "content"), (#"{"type":"content","content":1}"#, "content"),
            (#"{"type":"restart","attempt":1,"reason":"x"}"#, "keep"),
            (#"{"type":"restart","attempt":1,"reason":"x","keep":1.5}"#, "keep"),
            (#"{"type":"start","attempt":1,"jobId":"x"}"#, "jobId"), (#"{"type":"usage"}"#, "usage"),
            (#"{"type":"usage","usage":{"total_tokens":1}}"#, "prompt_tokens"), (#"{"type":"usage","usage":1}"#, ""),
            (#"{"type":"queued","reason":"x","until":"soon"}"#, "until"),
            (#"{"type":"error","code":"internal","error":"x"}"#, "retryable"),
        ])
    func `what is no event of ours names the field`(text: String, field: String) {
        let error = #expect(throws: StoredValueError.self) { try StreamEvent(json: Array(text.utf8)) }
        #expect(error?.field == field)
    }

    @Test func `an error code of a newer version reads as internal and keeps its sentence`() throws {
        let text = #"{"type":"error","code":"from_the_future","error":"Sentence.","retryable":false}"#
        let event = try StreamEvent(json: Array(text.utf8))
        #expect(event == .error(StreamFailure(code: .internalError, message: "Sentence.", isRetryable: false)))
    }

    @Test(arguments: ErrorCode.allCases)
    func `every error code has a sentence for a person`(code: ErrorCode) {
        #expect(code.message.hasSuffix("."))
        #expect(code.message.count > 10)
        #expect(!code.message.contains("_"))
        #expect(code.rawValue.allSatisfy { $0.isLowercase || $0 == "_" })
        #expect(StreamFailure(code: code).isRetryable == code.isRetryable)
        #expect(StreamFailure(code: code).message == code.message)
    }

    @Test func `money, refusals and broken keys are never retryable`() {
        let final = ErrorCode.allCases.filter { !$0.isRetryable }
        #expect(
            Set(final) == [.providerAuth, .providerQuota, .contextLength, .contentFilter, .cancelled, .poison])
    }
}
