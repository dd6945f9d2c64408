// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(1)))
struct TokenCounterTests {
    private let counter = HeuristicTokenCounter()

    @Test(
        arguments: [
            ("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("é", 1), ("aé", 2), ("日本語", 3), ("abcd日本", 3), ("😀", 1),
            ("👩‍👩‍👧", 5), ("e\u{301}", 2), ("\u{0}\n\r\t", 1), ("\u{7F}\u{80}", 2),
            (String(repeating: "a", count: 4001), 1001),
        ])
    func `four ASCII characters are a token, and so is any other scalar`(text: String, tokens: Int) {
        #expect(counter.countTokens(in: text) == tokens)
        #expect(counter.isEstimate)
        #expect(counter.encodingName == "heuristic")
    }

    @Test(
        arguments: [
            (ChatMessage(role: .user, content: ""), 4), (ChatMessage(role: .user, content: "abcdefgh"), 6),
            (ChatMessage(role: .assistant, content: "abcd"), 7),
            (ChatMessage(role: .user, content: "abcd", name: "ada"), 7),
            (ChatMessage(role: .user, content: "abcd", name: ""), 5),
            (ChatMessage(role: .user, content: "", parts: [.text("abcdefgh")]), 6),
            (
                ChatMessage(role: .user, content: "", parts: [.image(ImagePart(source: .url("u"), mime: "image/png"))]),
                1028
            ),
            (
                ChatMessage(
                    role: .assistant, content: "", toolCalls: [ToolCall(id: "1", name: "abcd", arguments: "{\"a\":1}")]),
                12
            ),
        ])
    func `a message costs its overhead and all it holds`(message: ChatMessage, tokens: Int) {
        #expect(counter.countTokens(in: message) == tokens)
    }

    @Test func `a prompt has the reply's primer once`() {
        let messages = [ChatMessage(role: .system, content: "abcd"), ChatMessage(role: .user, content: "abcd")]
        #expect(counter.countTokens(inPrompt: messages) == 3 + 6 + 5)
        #expect(counter.countTokens(inPrompt: []) == 3)
        #expect(counter.countedText("abcd") == CountedText(text: "abcd", tokens: 6))
    }
}
