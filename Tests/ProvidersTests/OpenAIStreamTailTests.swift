// SPDX-License-Identifier: Apache-2.0
import Chat
import Providers
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct OpenAIStreamTailTests {
    /// What a server does after it has said why its answer ends.
    enum Tail: CaseIterable {
        case silence, errorEvent, refusal, noJSON, halfEvent, noChunk, reset, close

        func carryOut(_ connection: RawConnection) throws {
            switch self {
            case .silence: connection.waitForPeerToLeave()
            case .errorEvent: try connection.send(event(#"{"error":{"message":"m","type":"server_error"}}"#))
            case .refusal: try connection.send(event(#"{"error":{"code":429}}"#))
            case .noJSON: try connection.send(event(#"{"choices":[{"del"#))
            case .halfEvent: try connection.send(chunk("data: {\"choi") + "0\r\n\r\n")
            case .noChunk: try connection.send("so long\r\n")
            case .reset: try connection.reset()
            case .close: connection.close()
            }
        }
    }

    private static let text = #"{"choices":[{"delta":{"content":"a b"}}]}"#
    private static let usage = #"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#

    private static func finish(_ reason: String) -> String {
        #"{"choices":[{"delta":{},"finish_reason":"\#(reason)"}]}"#
    }

    /// A server that answers with these events, and then with what a script says.
    private func withEvents<Value>(
        _ events: [String], then tail: @escaping @Sendable (RawConnection) throws -> Void,
        _ body: (RawServer, OpenAIProvider) async throws -> Value
    ) async throws -> Value {
        try await withServer(
            { connection in
                _ = try connection.readRequest()
                try connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                for data in events { try connection.send(event(data)) }
                try tail(connection)
            }, body)
    }

    @Test(arguments: Tail.allCases, [false, true])
    func `an answer that said why it ends is kept whatever follows`(_ tail: Tail, _ hasUsage: Bool) async throws {
        let events = [Self.text, Self.finish("stop")] + (hasUsage ? [Self.usage] : [])
        try await withEvents(events, then: tail.carryOut) { server, provider in
            let limits = ProviderTimeLimits(idle: tail == .silence ? .seconds(2) : .seconds(60))
            let outcome = await provider.outcome(server.request(limits: limits))
            #expect(outcome.error == nil)
            #expect(outcome.text == "a b")
            #expect(outcome.finish == .stop)
            #expect((outcome.usage?.totalTokens == 9) == hasUsage)
        }
    }

    @Test func `the deadline does not take back an answer that said why it ends`() async throws {
        try await withEvents([Self.text, Self.finish("length")], then: { $0.waitForPeerToLeave() }) {
            server, provider in
            let limits = ProviderTimeLimits(deadline: .now + .seconds(3))
            let outcome = await provider.outcome(server.request(limits: limits))
            #expect(outcome.error == nil)
            #expect(outcome.text == "a b")
            #expect(outcome.finish == .length)
        }
    }

    @Test func `what follows the end is not waited for as long as the text was`() async throws {
        try await withEvents([Self.text, Self.finish("stop")], then: { $0.waitForPeerToLeave() }) { server, provider in
            // Longer than the test may take.
            let limits = ProviderTimeLimits(idle: .seconds(600))
            let outcome = await provider.outcome(server.request(limits: limits))
            #expect(outcome.error == nil)
            #expect(outcome.text == "a b")
        }
    }

    @Test func `an answer that ends with an error by its own words has failed`() async throws {
        let error = #"{"error":{"message":"m","type":"server_error"}}"#
        try await withEvents([Self.text, Self.finish("error"), error], then: { $0.close() }) { server, provider in
            let outcome = await provider.outcome(server.request())
            #expect(outcome.error?.cause == .streamError)
            #expect(outcome.error?.hadOutput == true)
        }
    }

    @Test func `cancelling is no end, not even after the text`() async throws {
        try await withEvents([Self.text, Self.finish("stop")], then: { $0.waitForPeerToLeave() }) { server, provider in
            let hasFinished = Gate()
            let error = await withTaskGroup(of: ProviderError?.self) { group in
                group.addTask {
                    do throws(ProviderError) {
                        for try await batch in try await provider.stream(server.request())
                        where batch.contains(.finish(.stop)) {
                            hasFinished.open()
                        }
                        return nil
                    } catch { return error }
                }
                await hasFinished.wait()
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(error?.cause == .cancelled)
        }
    }
}

private func event(_ data: String) -> String { chunk("data: \(data)\n\n") }

private func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

extension RawServer {
    fileprivate func request(limits: ProviderTimeLimits = ProviderTimeLimits()) -> ProviderRequest {
        ProviderRequest(
            endpoint: ProviderEndpoint(baseURL: url("/v1")), model: "m",
            messages: [ChatMessage(role: .user, content: "Hello")], limits: limits)
    }
}
