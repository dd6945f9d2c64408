// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TitleTests {
    @Test(
        arguments: [
            ("Cats at Sea", "Cats at Sea"), ("  Cats  at\tSea \n", "Cats at Sea"), ("\"Cats at Sea\"", "Cats at Sea"),
            ("“Katzen auf See.”", "Katzen auf See"), ("„Katzen auf See“", "Katzen auf See"),
            ("«Chats en mer»", "Chats en mer"),
            ("「海の猫」", "海の猫"), ("海の猫。", "海の猫"), ("Cats at Sea.", "Cats at Sea"), ("Cats at Sea...", "Cats at Sea"),
            ("**Cats at Sea**", "Cats at Sea"), ("# Cats at Sea", "Cats at Sea"),
            ("Title: \"Cats at Sea\".", "Cats at Sea"),
            ("`Cats`", "Cats"), ("\n\nCats at Sea\nThis title says…", "Cats at Sea"), ("***\n---\nCats", "Cats"),
            ("Is it a cat?", "Is it a cat?"), ("C# and .NET", "C# and .NET"), ("Node.js 22.1", "Node.js 22.1"),
            ("<think>The user wants</think>Cats", "Cats"), ("<THINK>\nlong\n</THINK>\n\nCats", "Cats"),
            ("<thinking>a</thinking> Cats <thinking>b</thinking>", "Cats"), ("reasoning goes on</think>Cats", "Cats"),
            ("Cats<think>and then it was cut", "Cats"), ("<reasoning>x</reasoning>\"Cats\"", "Cats"),
            ("<think>a</think><think>b</think>Cats", "Cats"), ("😀🐈", "😀🐈"), ("42", "42"), ("a < b > c", "a < b > c"),
            ("Cats\u{0} at\u{7} Sea", "Cats at Sea"), ("\u{1F}Cats\u{0}", "Cats"),
        ])
    func `a model's reply becomes a title`(reply: String, title: String) {
        #expect(Title.clean(reply) == title)
    }

    @Test(arguments: [
        "", " \n ", "\"\"", "...", "<think>only thoughts</think>", "<think>cut off", "***", "#", "\u{0}", "Title:",
    ])
    func `nothing usable is no title`(reply: String) {
        #expect(Title.clean(reply) == nil)
    }

    @Test func `a title has at most 80 characters and ends with a word where it can`() {
        let words = String(repeating: "word ", count: 40)
        #expect(Title.clean(words) == String(repeating: "word ", count: 16).dropLast().description)
        #expect(Title.clean(String(repeating: "語", count: 200)) == String(repeating: "語", count: 80))
        #expect(Title.clean(String(repeating: "👩‍👩‍👧", count: 90))?.count == 80)
        #expect(Title.clean(String(repeating: "a", count: 80))?.count == 80)
        #expect(Title.clean("ab " + String(repeating: "x", count: 90))?.count == 80)
    }

    @Test(
        arguments: [
            ("How do I bake bread at home without an oven?", "How do I bake bread at"), ("Hi", "Hi"),
            ("\n  two\n\nwords ", "two words"),
            ("", nil), (" \n", nil), (String(repeating: "語", count: 100), String(repeating: "語", count: 40)),
            ("Donaudampfschifffahrtsgesellschaft Kapitänsmützenabzeichen", "Donaudampfschifffahrtsgesellschaft"),
            ("a\u{0}b", "a b"),
        ] as [(String, String?)])
    func `the first words of the user's text stand in`(text: String, title: String?) {
        #expect(Title.fallback(userText: text) == title)
    }

    @Test func `the prompt shows the beginning of the user's text alone`() {
        let prompt = Title.prompt(userText: String(repeating: "a", count: 10_000))
        #expect(prompt.map(\.role) == [.system, .user])
        #expect(prompt[1].content.count == 2000)
        #expect(prompt[0].content.contains("5 words"))
    }
}
