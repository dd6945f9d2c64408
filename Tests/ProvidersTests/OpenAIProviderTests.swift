// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPClient
import JSON
import Observability
import Providers
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct OpenAIProviderTests {
    @Test func `a streamed answer brings text, reason and figures`() async throws {
        try await withSimulator { simulator, provider in
            let outcome = await provider.outcome(simulator.request("text=Hello%20there,%20you&prompt=7"))
            #expect(outcome.text == "Hello there, you")
            #expect(outcome.finish == .stop)
            #expect(outcome.usage == ReportedUsage(promptTokens: 7, completionTokens: 3, totalTokens: 10))
            #expect(outcome.error == nil)
            let request = try #require(simulator.requests.first)
            #expect(request.fields["authorization"] == "Bearer sk-secret-key-0123456789")
            #expect(request.fields["accept"] == "text/event-stream")
            #expect(request.text.contains(#""stream":true,"stream_options":{"include_usage":true}"#))
        }
    }

    @Test func `a whole answer brings the same`() async throws {
        try await withSimulator { simulator, provider in
            let completion = try await provider.complete(
                simulator.request("text=Hello%20there,%20you&prompt=7&reasoning=1"))
            #expect(completion.content == "Hello there, you")
            #expect(completion.reasoning == "thought0 ")
            #expect(completion.finishReason == .stop)
            #expect(completion.usage?.promptTokens == 7)
            #expect(completion.usage?.reasoningTokens == 1)
            #expect(completion.requestID == "req_1")
        }
    }

    @Test func `thinking and function calls have their own events`() async throws {
        try await withSimulator { simulator, provider in
            let thinking = await provider.outcome(simulator.request("text=ok&reasoning=2"))
            #expect(thinking.reasoning == "thought0 thought1 ")
            #expect(thinking.text == "ok")
            let calling = await provider.outcome(simulator.request("toolCall=1"))
            #expect(calling.calls.calls == [ToolCall(id: "call_1", name: "f", arguments: #"{"a":1}"#)])
            #expect(calling.finish == .toolCalls)
            let whole = try await provider.complete(simulator.request("toolCall=1"))
            #expect(whole.toolCalls == calling.calls.calls)
        }
    }

    @Test(arguments: ["splitUTF8", "crlf", "heartbeats", "noUsage", "noDone", "splitUTF8,crlf,heartbeats,noUsage"])
    func `an odd but whole stream brings the whole text`(_ fault: String) async throws {
        try await withSimulator { simulator, provider in
            let outcome = await provider.outcome(
                simulator.request("text=sch%C3%B6n%20%E6%97%A5%E6%9C%AC%20%F0%9F%99%82&fault=\(fault)"))
            #expect(outcome.text == "schön 日本 🙂")
            #expect(outcome.finish == .stop)
            #expect(outcome.error == nil)
            #expect((outcome.usage == nil) == fault.contains("noUsage"))
        }
    }

    /// What the provider does, what it means, and how much text came first.
    @Test(arguments: [
        Fault("status429&retryAfter=7", .rateLimited, .status, 429, retryAfter: .seconds(7)),
        Fault("status429&retryAfterMs=250", .rateLimited, .status, 429, retryAfter: .milliseconds(250)),
        Fault("status429&retryAfter=0", .rateLimited, .status, 429),
        Fault("status429&retryAfterMs=0", .rateLimited, .status, 429),
        Fault("quota429", .providerQuota, .status, 429),
        Fault("status500", .providerUnavailable, .status, 500),
        Fault("status502", .providerUnavailable, .status, 502),
        Fault("status503", .providerUnavailable, .status, 503),
        Fault("status401", .providerAuth, .status, 401),
        Fault("status404", .providerBadResponse, .status, 404),
        Fault("400context", .contextLength, .status, 400),
        Fault("400filter", .contentFilter, .status, 400),
        Fault("hang", .firstTokenTimeout, .timeout, nil),
        Fault("stall&after=0", .firstTokenTimeout, .timeout, nil),
        Fault("stall&after=3", .idleTimeout, .timeout, nil, text: "a b c "),
        Fault("reset&after=3", .providerUnavailable, .truncated, nil, text: "a b c "),
        Fault("close&after=3", .providerUnavailable, .truncated, nil, text: "a b c "),
        Fault("close&after=0", .providerUnavailable, .truncated, nil),
        Fault("badJSON&after=2", .providerBadResponse, .malformed, nil, text: "a b "),
        Fault("errorEvent&after=2", .providerUnavailable, .streamError, 200, text: "a b "),
        Fault("noFinish", .providerBadResponse, .truncated, nil, text: "a b c d e"),
    ])
    func `a fault has its code, and the text before it is kept`(_ fault: Fault) async throws {
        try await withSimulator { simulator, provider in
            let isSilentFromTheStart = fault.code == .firstTokenTimeout
            let limits = ProviderTimeLimits(
                firstToken: isSilentFromTheStart ? .milliseconds(50) : .seconds(30),
                idle: fault.code == .idleTimeout ? .milliseconds(50) : .seconds(30))
            let outcome = await provider.outcome(
                simulator.request("text=a%20b%20c%20d%20e&fault=\(fault.query)", limits: limits))
            let error = try #require(outcome.error)
            #expect(error.code == fault.code)
            #expect(error.cause == fault.cause)
            #expect(error.status == fault.status)
            #expect(error.retryAfter == fault.retryAfter)
            #expect(error.hadOutput == !fault.text.isEmpty)
            #expect(error.mayHaveReachedProvider)
            #expect(outcome.text == fault.text)
            #expect(error.providerWords?.contains("sk-") != true)
        }
    }

    @Test(arguments: [
        Fault("status503", .providerUnavailable, .status, 503),
        Fault("reset", .providerUnavailable, .truncated, nil),
        Fault("close", .providerUnavailable, .truncated, nil),
        Fault("badJSON", .providerBadResponse, .malformed, 200),
    ])
    func `a whole answer that fails has its code`(_ fault: Fault) async throws {
        try await withSimulator { simulator, provider in
            let error = try #require(await provider.completionError(simulator.request("fault=\(fault.query)")))
            #expect(error.code == fault.code)
            #expect(error.cause == fault.cause)
            #expect(error.status == fault.status)
        }
    }

    @Test func `refusing to stream is told apart, and asking for the whole then works`() async throws {
        try await withSimulator { simulator, provider in
            let request = simulator.request("text=ok&fault=refuseStream")
            let outcome = await provider.outcome(request)
            #expect(outcome.error?.cause == .streamingRefused)
            let completion = try await provider.complete(request)
            #expect(completion.content == "ok")
        }
    }

    @Test func `a refused parameter is left out and reported`() async throws {
        try await withSimulator { simulator, provider in
            var request = simulator.request("text=ok&refuse=temperature,max_tokens,stream_options")
            request.temperature = 0.5
            request.maxTokens = 9
            let outcome = await provider.outcome(request)
            #expect(outcome.text == "ok")
            #expect(outcome.omittedParameters == ["temperature", "max_tokens", "stream_options"])
            #expect(simulator.requests.count == 4)
            #expect(simulator.requests.last?.text.contains(#""max_completion_tokens":9"#) == true)
            request.omittedParameters = outcome.omittedParameters
            let again = await provider.outcome(request)
            #expect(again.text == "ok")
            #expect(again.omittedParameters.isEmpty)
            #expect(simulator.requests.count == 5)
        }
    }

    @Test func `a parameter that cannot be left out is an error`() async throws {
        try await withSimulator { simulator, provider in
            let outcome = await provider.outcome(simulator.request("refuse=messages"))
            #expect(outcome.error?.code == .providerBadResponse)
            #expect(outcome.error?.isRetryable == false)
            #expect(simulator.requests.count == 1)
        }
    }

    @Test func `calls one after another use one connection`() async throws {
        try await withSimulator { simulator, provider in
            for _ in 0..<5 { _ = await provider.outcome(simulator.request("tokens=3")) }
            #expect(simulator.connections.count == 1)
            #expect(simulator.connections.first?.requestCount == 5)
        }
    }

    @Test func `cancelling the reader ends the provider's work at once`() async throws {
        try await withSimulator { simulator, provider in
            let request = simulator.request("tokens=100000&itl=1ms")
            let outcome = await withTaskGroup(of: Outcome.self) { group in
                group.addTask { await provider.outcome(request) }
                await simulator.tokensSent(5)
                group.cancelAll()
                return await group.next()
            }
            #expect(outcome?.error?.code == .cancelled)
            await simulator.connectionsClosedByClient()
        }
    }

    @Test func `the deadline of the call has its own code`() async throws {
        try await withSimulator { simulator, provider in
            let limits = ProviderTimeLimits(deadline: .now + .milliseconds(150))
            let outcome = await provider.outcome(simulator.request("tokens=100000&itl=1ms", limits: limits))
            #expect(outcome.error?.code == .deadlineExceeded)
        }
    }

    @Test func `a key that could forge header fields is not sent`() async throws {
        try await withSimulator { simulator, provider in
            var request = simulator.request("tokens=1")
            request.endpoint.apiKey = Secret("sk\r\nX-Evil: 1")
            let outcome = await provider.outcome(request)
            #expect(outcome.error?.code == .providerAuth)
            #expect(outcome.error?.mayHaveReachedProvider == false)
            #expect(simulator.requests.isEmpty)
        }
    }

    @Test func `a private address that a user typed in is not contacted`() async throws {
        try await withSimulator { simulator, provider in
            var request = simulator.request("tokens=1")
            request.endpoint.addressPolicy = .publicOnly
            let outcome = await provider.outcome(request)
            #expect(outcome.error?.code == .providerUnavailable)
            #expect(outcome.error?.isRetryable == false)
            #expect(simulator.connections.isEmpty)
        }
    }
}

struct Fault: CustomTestStringConvertible {
    let query: String
    let code: ErrorCode
    let cause: ProviderError.Cause
    let status: Int?
    let retryAfter: Duration?
    let text: String

    init(
        _ query: String, _ code: ErrorCode, _ cause: ProviderError.Cause, _ status: Int?, retryAfter: Duration? = nil,
        text: String = ""
    ) {
        self.query = query
        self.code = code
        self.cause = cause
        self.status = status
        self.retryAfter = retryAfter
        self.text = text
    }

    var testDescription: String { query }
}
