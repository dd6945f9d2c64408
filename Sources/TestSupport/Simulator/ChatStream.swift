// SPDX-License-Identifier: Apache-2.0
import JSON

/// The bytes of an OpenAI chat completion, streamed or whole.
struct ChatStream {
    let scenario: SimulatorScenario
    let call: SimulatedChatCall
    /// Makes the id `chatcmpl-<number>`.
    let number: Int

    private static let words = [
        "lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod",
        "tempor", "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua",
    ]
    private let pieces: [String]?
    /// What stands around the text of every token of an undisturbed stream of stamps: the load of benchmarks, whose
    /// provider must cost next to nothing.
    private var stampFrame: (before: [UInt8], after: [UInt8])?

    init(scenario: SimulatorScenario, call: SimulatedChatCall, number: Int) {
        self.scenario = scenario
        self.call = call
        self.number = number
        pieces = scenario.text.map(Self.pieces)
        guard scenario.stamps, scenario.faults.isEmpty, scenario.reasoningTokenCount == 0 else { return }
        let event = contentEvent("", isReasoning: false)
        guard let text = event.firstRange(of: Array(#""content":""#.utf8))?.upperBound else { return }
        stampFrame = (Array(event[..<text]), Array(event[text...]))
    }

    // MARK: Counts and times

    /// Tokens of text of the whole answer.
    var textTokenCount: Int {
        if scenario.callsTool { return 0 }
        let wanted = pieces?.count ?? scenario.tokenCount
        return call.maxTokens.map { min($0, wanted) } ?? wanted
    }

    var tokenCount: Int { scenario.reasoningTokenCount + textTokenCount }

    /// Tokens sent before a fault ends the stream; all of them without one.
    var sentTokenCount: Int {
        let cutting: Set<SimulatorScenario.Fault> = [.stall, .reset, .close, .badJSON, .errorEvent]
        guard !scenario.faults.isDisjoint(with: cutting) else { return tokenCount }
        return min(tokenCount, scenario.after ?? tokenCount / 2)
    }

    func offset(ofToken number: Int) -> Duration { scenario.firstToken + scenario.betweenTokens * number }

    private var promptTokenCount: Int { scenario.promptTokenCount ?? call.promptTokenCount }

    private var completionTokenCount: Int { scenario.callsTool ? 12 : tokenCount }

    private var finishReason: String {
        if let reason = scenario.finishReason { return reason }
        if scenario.callsTool { return "tool_calls" }
        return textTokenCount < pieces?.count ?? scenario.tokenCount ? "length" : "stop"
    }

    // MARK: Streamed

    /// The events before the first token.
    func opening() -> [UInt8] {
        if scenario.callsTool {
            let first = event { choice in
                choice.objectMember("delta") { delta in
                    delta.member("role", "assistant")
                    delta.nullMember("content")
                    delta.arrayMember("tool_calls") { calls in
                        calls.object { call in
                            call.member("index", 0)
                            call.member("id", "call_1")
                            call.member("type", "function")
                            call.objectMember("function") { function in
                                function.member("name", "f")
                                function.member("arguments", "")
                            }
                        }
                    }
                }
            }
            return framed(first + argumentsEvent("{\"a\":") + argumentsEvent("1}"))
        }
        return framed(
            event { choice in
                choice.objectMember("delta") { delta in
                    delta.member("role", "assistant")
                    delta.member("content", "")
                }
            })
    }

    func bytes(ofToken number: Int, stamp: SimulatorStamp) -> [UInt8] {
        let isReasoning = number < scenario.reasoningTokenCount
        let text = text(ofToken: number, stamp: stamp)
        if let (before, after) = stampFrame {
            // A stamp is digits, an at sign and a blank: nothing in it is escaped.
            return Self.chunk((before + text.utf8 + after)[...])
        }
        let heartbeat = scenario.faults.contains(.heartbeats) ? line(": ping", ends: 2) : []
        return framed(heartbeat + contentEvent(text, isReasoning: isReasoning))
    }

    private func contentEvent(_ text: String, isReasoning: Bool) -> [UInt8] {
        event { choice in
            choice.objectMember("delta") { delta in
                delta.member(isReasoning ? "reasoning_content" : "content", text)
            }
        }
    }

    /// The events after the last token.
    func closing() -> [UInt8] {
        var bytes: [UInt8] = []
        if !scenario.faults.contains(.noFinish) {
            bytes += event(finishReason: finishReason) { $0.objectMember("delta") { _ in } }
            if call.wantsUsage && !scenario.faults.contains(.noUsage) { bytes += usageEvent() }
            if !scenario.faults.contains(.noDone) { bytes += line("data: [DONE]", ends: 2) }
        }
        return framed(bytes)
    }

    func brokenEvent() -> [UInt8] { framed(line("data: {\"id\":\"chatcmpl-\(number)\",\"choices\":[{\"del", ends: 2)) }

    func errorEvent() -> [UInt8] {
        let error = SimulatorAnswers.errorBody(
            message: "The server had an error while processing your request.", type: "server_error", code: nil)
        return framed(line("data: " + String(decoding: error, as: UTF8.self), ends: 2))
    }

    /// What ends a chunked body.
    static let lastChunk = Array("0\r\n\r\n".utf8)

    // MARK: Whole

    func whole(stamp: SimulatorStamp) -> [UInt8] {
        let texts = (0..<tokenCount).map { text(ofToken: $0, stamp: stamp) }
        let reasoning = texts.prefix(scenario.reasoningTokenCount).joined()
        return JSONWriter.object { body in
            writeIdentity(&body, object: "chat.completion")
            body.arrayMember("choices") { choices in
                choices.object { choice in
                    choice.member("index", 0)
                    choice.objectMember("message") { message in
                        message.member("role", "assistant")
                        if scenario.callsTool {
                            message.nullMember("content")
                        } else {
                            message.member("content", texts.dropFirst(scenario.reasoningTokenCount).joined())
                        }
                        if !reasoning.isEmpty { message.member("reasoning_content", reasoning) }
                        message.nullMember("refusal")
                        if scenario.callsTool { Self.writeWholeCall(&message) }
                    }
                    choice.nullMember("logprobs")
                    choice.member("finish_reason", finishReason)
                }
            }
            if !scenario.faults.contains(.noUsage) { writeUsage(&body) }
        }
    }

    private static func writeWholeCall(_ message: inout JSONWriter) {
        message.arrayMember("tool_calls") { calls in
            calls.object { call in
                call.member("id", "call_1")
                call.member("type", "function")
                call.objectMember("function") { function in
                    function.member("name", "f")
                    function.member("arguments", "{\"a\":1}")
                }
            }
        }
    }

    // MARK: Pieces

    private func text(ofToken number: Int, stamp: SimulatorStamp) -> String {
        if scenario.stamps {
            return "\(number)@\(scenario.stampsRealTime ? stamp.realTimeMicroseconds : stamp.monotonicMicroseconds) "
        }
        if number < scenario.reasoningTokenCount { return "thought\(number) " }
        let index = number - scenario.reasoningTokenCount
        if let pieces { return pieces[index] }
        let word = String(repeating: "w", count: scenario.paddingBytes) + Self.words[index % Self.words.count]
        return word + (index + 1 < textTokenCount ? " " : "")
    }

    /// Words with the blanks after them.
    private static func pieces(of text: String) -> [String] {
        var pieces: [String] = []
        var piece = ""
        for character in text {
            if let last = piece.last, last.isWhitespace, !character.isWhitespace {
                pieces.append(piece)
                piece = ""
            }
            piece.append(character)
        }
        return piece.isEmpty ? pieces : pieces + [piece]
    }

    private func argumentsEvent(_ arguments: String) -> [UInt8] {
        event { choice in
            choice.objectMember("delta") { delta in
                delta.arrayMember("tool_calls") { calls in
                    calls.object { call in
                        call.member("index", 0)
                        call.objectMember("function") { $0.member("arguments", arguments) }
                    }
                }
            }
        }
    }

    private func event(finishReason: String? = nil, _ writeDelta: (inout JSONWriter) -> Void) -> [UInt8] {
        let json = JSONWriter.object { body in
            writeIdentity(&body, object: "chat.completion.chunk")
            body.arrayMember("choices") { choices in
                choices.object { choice in
                    choice.member("index", 0)
                    writeDelta(&choice)
                    choice.nullMember("logprobs")
                    if let finishReason {
                        choice.member("finish_reason", finishReason)
                    } else {
                        choice.nullMember("finish_reason")
                    }
                }
            }
            if call.wantsUsage { body.nullMember("usage") }
        }
        return line("data: " + String(decoding: json, as: UTF8.self), ends: 2)
    }

    private func usageEvent() -> [UInt8] {
        let json = JSONWriter.object { body in
            writeIdentity(&body, object: "chat.completion.chunk")
            body.arrayMember("choices") { _ in }
            writeUsage(&body)
        }
        return line("data: " + String(decoding: json, as: UTF8.self), ends: 2)
    }

    private func writeIdentity(_ body: inout JSONWriter, object: String) {
        body.member("id", "chatcmpl-\(number)")
        body.member("object", object)
        body.member("created", 1)
        body.member("model", call.model)
    }

    private func writeUsage(_ body: inout JSONWriter) {
        body.objectMember("usage") { usage in
            usage.member("prompt_tokens", promptTokenCount)
            usage.member("completion_tokens", completionTokenCount)
            usage.member("total_tokens", promptTokenCount + completionTokenCount)
            if scenario.reasoningTokenCount > 0 {
                usage.objectMember("completion_tokens_details") {
                    $0.member("reasoning_tokens", scenario.reasoningTokenCount)
                }
            }
        }
    }

    private func line(_ text: String, ends: Int) -> [UInt8] {
        let end = scenario.faults.contains(.crlf) ? "\r\n" : "\n"
        return Array(text.utf8) + Array(String(repeating: end, count: ends).utf8)
    }

    /// Chunks: one, or one for each byte around a code point's inside.
    private func framed(_ bytes: [UInt8]) -> [UInt8] {
        guard scenario.faults.contains(.splitUTF8) else { return Self.chunk(bytes[...]) }
        var framed: [UInt8] = []
        var start = bytes.startIndex
        for index in bytes.indices.dropFirst() where bytes[index] & 0xC0 == 0x80 {
            framed += Self.chunk(bytes[start..<index])
            start = index
        }
        return framed + Self.chunk(bytes[start...])
    }

    private static func chunk(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.isEmpty ? [] : Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8)
    }
}
