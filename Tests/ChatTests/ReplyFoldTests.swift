// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ReplyFoldTests {
    private static func fold(_ events: [StreamEvent]) -> ReplyFold {
        var fold = ReplyFold()
        for (index, event) in events.enumerated() {
            fold.apply(event, at: StreamCursor(lease: 1, sequence: Int32(index + 1)))
        }
        return fold
    }

    private static func restart(_ keep: Int) -> StreamEvent {
        .restart(StreamRestart(attempt: 2, reason: "worker_lost", keptBytes: keep))
    }

    @Test(
        arguments: [
            ("héllo", 0, "", false), ("héllo", 1, "h", false), ("héllo", 3, "hé", false), ("héllo", 6, "héllo", false),
            ("héllo", 2, "h", true), ("héllo", 7, "héllo", true), ("héllo", -1, "", true), ("", 0, "", false),
            ("", 1, "", true),
            ("a😀b", 1, "a", false), ("a😀b", 2, "a", true), ("a😀b", 3, "a", true), ("a😀b", 4, "a", true),
            ("a😀b", 5, "a😀", false), ("日本語", 3, "日", false), ("日本語", 5, "日", true), ("日本語", 8, "日本", true),
            ("e\u{301}x", 1, "e", false), ("e\u{301}x", 2, "e", true), ("e\u{301}x", 3, "e\u{301}", false),
            ("a\r\nb", 2, "a\r", false), ("👨‍👩‍👧", 4, "👨", false), ("👨‍👩‍👧", 7, "👨\u{200D}", false),
            ("🇩🇪", 4, "🇩", false), ("😀", 3, "", true),
        ])
    func `a restart keeps whole code points`(text: String, keep: Int, kept: String, isInvalid: Bool) {
        let fold = Self.fold([.content(text), Self.restart(keep), .content("|")])
        #expect(Array(fold.text.unicodeScalars) == Array((kept + "|").unicodeScalars))
        #expect(fold.hadInvalidKeep == isInvalid)
        #expect(fold.contentLengthBytes == kept.utf8.count + 1)
    }

    @Test func `a code point's parts in two deltas keep their bytes`() {
        let fold = Self.fold([.content("e"), .content("\u{301}"), .content("\r"), .content("\n"), .content("")])
        #expect(Array(fold.text.utf8) == Array("e\u{301}\r\n".utf8))
    }

    @Test func `reasoning and tool calls before a restart are void and not counted`() {
        let fold = Self.fold([
            .reasoning("long thoughts"), .content("ab"),
            .toolCall(ToolCallDelta(index: 0, id: "1", name: "f", arguments: "{")),
            .stop(.toolCalls), Self.restart(2), .reasoning("new"), .content("c"),
            .toolCall(ToolCallDelta(index: 0, id: "2", name: "g", arguments: "{}")),
        ])
        #expect(fold.text == "abc")
        #expect(fold.reasoning == "new")
        #expect(fold.toolCalls.calls == [ToolCall(id: "2", name: "g", arguments: "{}")])
        #expect(fold.finishReason == nil)
        #expect(fold.hadOutput)
        #expect(!fold.isEnded)
    }

    @Test func `a finished stream gives text, reason and the last figures`() {
        let estimate = Usage(promptTokens: 5, contextLimit: 100, isEstimated: true)
        let truth = Usage(promptTokens: 6, completionTokens: 2, contextLimit: 100, isEstimated: false)
        let fold = Self.fold([
            .start(StreamStart(messageID: nil, userMessageID: nil, sessionID: nil, jobID: .init(high: 1, low: 1))),
            .queued(StreamQueued(reason: "session_busy")), .usage(estimate), .content("Hi "), .content("there"),
            .stop(.stop), .usage(truth), .end,
            .complete(StreamCompletion(messageID: nil, finishReason: .stop, usage: truth, contentLengthBytes: 8)),
        ])
        #expect(fold.text == "Hi there")
        #expect(fold.contentLengthBytes == 8)
        #expect(fold.finishReason == .stop)
        #expect(fold.usage == truth)
        #expect(fold.isEnded)
        #expect(fold.error == nil)
        #expect(fold.cursor == StreamCursor(lease: 1, sequence: 9))
    }

    @Test func `a failure keeps the partial text`() {
        let failure = StreamFailure(code: .providerUnavailable)
        let fold = Self.fold([.content("par"), .error(failure)])
        #expect(fold.text == "par")
        #expect(fold.error == failure)
        #expect(fold.isEnded)
        let silent = Self.fold([.usage(Usage(promptTokens: 1, contextLimit: 9, isEstimated: true)), .error(failure)])
        #expect(!silent.hadOutput)
        #expect(silent.usage?.promptTokens == 1)
    }

    @Test(arguments: [StreamEvent.reasoning("x"), .toolCall(ToolCallDelta(index: 0)), .content("x")])
    func `any output counts as seen, also after it was taken back`(output: StreamEvent) {
        #expect(Self.fold([output, Self.restart(0)]).hadOutput)
        #expect(!Self.fold([Self.restart(0)]).hadOutput)
    }

    @Test func `repetitions change nothing, and a later lease goes on`() throws {
        let events: [(StreamEvent, String)] = [
            (.content("a"), "1.1"), (.content("a"), "1.1"), (.content("z"), "0.9"), (Self.restart(1), "5.1"),
            (.content("b"), "5.2"), (.content("stale"), "1.2"),
        ]
        var fold = ReplyFold()
        let isNew = try events.map { event, cursor in
            fold.apply(event, at: try #require(StreamCursor(cursor)))
        }
        #expect(isNew == [true, false, false, true, true, false])
        #expect(fold.text == "ab")
    }

    @Test func `the fold of a replayed log equals the live fold from any cursor`() {
        let events: [StreamEvent] = [
            .content("日本"), .reasoning("r"), .content("語"), Self.restart(6), .content("é"), Self.restart(0),
            .content("x😀"),
            .stop(.stop), .end,
        ]
        let whole = Self.fold(events)
        for cut in 0...events.count {
            var fold = Self.fold(Array(events[..<cut]))
            for (index, event) in events.enumerated() {
                fold.apply(event, at: StreamCursor(lease: 1, sequence: Int32(index + 1)))
            }
            #expect(fold == whole)
        }
        #expect(whole.text == "x😀")
    }

    @Test func `pieces of interleaved tool calls are joined by index`() {
        var calls = ToolCallAccumulator()
        #expect(calls.isEmpty)
        calls.append(ToolCallDelta(index: 1, id: "b", name: "g", arguments: ""))
        calls.append(ToolCallDelta(index: 0, id: "a", name: "f", arguments: "{\"x"))
        calls.append(ToolCallDelta(index: 1, arguments: "{}"))
        calls.append(ToolCallDelta(index: 0, id: "a", name: "f", arguments: "\":1}"))
        calls.append(ToolCallDelta(index: 0, id: "", name: "", arguments: ""))
        #expect(
            calls.calls == [
                ToolCall(id: "a", name: "f", arguments: "{\"x\":1}"), ToolCall(id: "b", name: "g", arguments: "{}"),
            ])
        #expect(!calls.isEmpty)
    }
}
