// SPDX-License-Identifier: Apache-2.0
import Chat
import TestSupport
import Testing

@testable import Providers

@Suite(.timeLimit(.minutes(1)))
struct LocalProviderTests {
    private func request(_ model: String, _ texts: String...) -> ProviderRequest {
        ProviderRequest(
            endpoint: ProviderEndpoint(baseURL: ""), model: model,
            messages: texts.map { ChatMessage(role: .user, content: $0) })
    }

    @Test(arguments: [
        ("12 * 7", "12 * 7 = 84"), ("What is 1 / 4?", "1 / 4 = 0.25"), ("1 / 0", "Nothing can be divided by zero."),
        ("repeat schöne  Grüße 🙂", "schöne  Grüße 🙂"), ("What did I say?", "This is your first message."),
    ])
    func `a reply follows its rule, and streaming gives the same text`(_ text: String, _ reply: String) async throws {
        let provider = LocalProvider()
        #expect(try await provider.complete(request("local", text)).content == reply)
        let outcome = await provider.outcome(request("local", text))
        #expect(outcome.text == reply)
        #expect(outcome.finish == .stop)
        #expect(outcome.usage?.promptTokens == (text.utf8.count + 3) / 4)
    }

    @Test func `what was said before is remembered`() async throws {
        let outcome = await LocalProvider().outcome(request("local", "My name is Ada.", "What did I say?"))
        #expect(outcome.text == "Before this you said: “My name is Ada.”")
    }

    @Test func `a title is taken from the text`() async throws {
        var asked = request("local")
        asked.messages = Title.prompt(userText: "How do I bake bread with very little yeast?")
        let completion = try await LocalProvider().complete(asked)
        #expect(completion.content == "How do I bake bread with")
    }

    @Test func `the load generator keeps its deadlines whatever the reader does`() async throws {
        let clock = ManualClock()
        let stream = try await LocalProvider(clock: clock).stream(
            request("local/lorem?tokens=5&ttft=100ms&itl=20ms"))
        var batches = stream.makeAsyncIterator()
        clock.advance(by: .milliseconds(100))
        #expect(try await batches.next() == [.content("lorem ")])
        // A reader that was away for two tokens gets both at once and is not late for the next.
        clock.advance(by: .milliseconds(45))
        #expect(try await batches.next() == [.content("ipsum dolor ")])
        clock.advance(by: .milliseconds(15))
        #expect(try await batches.next() == [.content("sit ")])
        clock.advance(by: .milliseconds(20))
        #expect(
            try await batches.next() == [
                .content("amet"), .finish(.stop), .usage(ReportedUsage(promptTokens: 0, completionTokens: 5)),
            ])
        #expect(try await batches.next() == nil)
    }

    @Test func `cancelling ends a pause`() async throws {
        let clock = ManualClock()
        let asked = request("local/lorem?ttft=1s")
        let outcome = await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await LocalProvider(clock: clock).outcome(asked) }
            await clock.sleepers()
            group.cancelAll()
            return await group.next()
        }
        #expect(outcome?.error?.code == .cancelled)
        #expect(outcome?.error?.hadOutput == false)
    }

    /// `patience` is what the reader has run out of when the clock has moved by 10 ms.
    @Test(arguments: [
        ("ttft=20ms", ProviderTimeLimits(firstToken: .milliseconds(10)), ErrorCode.firstTokenTimeout, ""),
        ("itl=20ms", ProviderTimeLimits(idle: .milliseconds(10)), .idleTimeout, "lorem "),
    ])
    func `patience is kept as with any provider`(
        _ pace: String, _ patience: ProviderTimeLimits, _ code: ErrorCode, _ text: String
    ) async throws {
        let clock = ManualClock()
        var asked = request("local/lorem?\(pace)")
        asked.limits = patience
        async let outcome = LocalProvider(clock: clock).outcome(asked)
        await clock.sleepers()
        clock.advance(by: .milliseconds(10))
        #expect(await outcome.error?.code == code)
        #expect(await outcome.error?.hadOutput == !text.isEmpty)
        #expect(await outcome.text == text)
    }

    @Test func `the deadline of the call ends a pause and refuses a late start`() async throws {
        let clock = ManualClock()
        var asked = request("local/lorem?ttft=1000s")
        asked.limits = ProviderTimeLimits(firstToken: .seconds(2000), deadline: .now + .seconds(500))
        async let outcome = LocalProvider(clock: clock).outcome(asked)
        await clock.sleepers()
        clock.advance(by: .seconds(600))
        #expect(await outcome.error?.code == .deadlineExceeded)
        asked.limits.deadline = .now
        let late = await LocalProvider().outcome(asked).error
        #expect(late?.code == .deadlineExceeded)
        #expect(late?.mayHaveReachedProvider == false)
    }

    @Test func `the limit of tokens is kept`() async throws {
        var asked = request("local/lorem?tokens=50")
        asked.maxTokens = 3
        let completion = try await LocalProvider().complete(asked)
        #expect(completion.content == "lorem ipsum dolor")
        #expect(completion.finishReason == .length)
        #expect(completion.usage?.completionTokens == 3)
    }

    @Test(arguments: [
        ("local", nil as LocalLoad?), ("local/echo?tokens=3", nil), ("local/lorem", LocalLoad(model: "lorem")),
        ("local/lorem?tokens=x&itl=-1&ttft=&other=1", LocalLoad(model: "lorem")),
    ])
    func `only the load generator's name has settings, and wrong ones are ignored`(_ model: String, _ load: LocalLoad?)
    {
        #expect(LocalLoad(model: model) == load)
    }
}
