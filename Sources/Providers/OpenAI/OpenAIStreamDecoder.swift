// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
package import Observability

/// Turns the bytes of OpenAI's event stream into events. Pure: chunks in, batches out.
///
/// A stream is whole when it said `[DONE]` or why it ends; many compatible servers leave out the one or the other. What
/// goes wrong after it said why it ends is its end.
package struct OpenAIStreamDecoder {
    private static let projection = JSONProjection([
        "choices[0].delta.content", "choices[0].delta.reasoning_content", "choices[0].delta.reasoning",
        "choices[0].delta.refusal", "choices[0].delta.tool_calls", "choices[0].finish_reason", "usage", "error",
    ])

    private let apiKey: Secret?
    private var parser = ServerSentEventParser()
    private var values: [JSONFragment?] = []
    private var events: [ProviderEvent] = []
    private var failure: ProviderError?

    /// `[DONE]` has come, or something that cannot be read after the finish; what follows is not read.
    private(set) var isDone = false
    private var finishReason: FinishReason?
    /// Something a person can see has come.
    private(set) var hadOutput = false

    /// - Parameter apiKey: kept out of what errors say.
    package init(apiKey: Secret?) {
        self.apiKey = apiKey
    }

    /// The answer has said why it ends.
    var hasFinished: Bool { finishReason != nil }

    /// Whether the stream may end here.
    var isWhole: Bool { isDone || hasFinished }

    /// Reads a chunk. What came before a failure is returned first; the failure is thrown by the next call.
    package mutating func feed(_ chunk: [UInt8]) throws(ProviderError) -> [ProviderEvent] {
        try throwFailure()
        var received: [ServerSentEvent] = []
        var fault: HTTPError?
        do throws(HTTPError) { try parser.feed(chunk.span) { received.append($0) } } catch { fault = error }
        return try read(received, fault)
    }

    /// The stream's bytes are at their end.
    mutating func finish() throws(ProviderError) -> [ProviderEvent] {
        try throwFailure()
        var received: [ServerSentEvent] = []
        var fault: HTTPError?
        // Some servers close right after the last line.
        do throws(HTTPError) { received += [try parser.finish()].compactMap(\.self) } catch { fault = error }
        return try read(received, fault)
    }

    private mutating func fail(_ error: ProviderError) {
        // Some say `error` before they say which.
        if let finishReason, finishReason.rawValue != "error" { isDone = true } else { failure = error }
    }

    private func throwFailure() throws(ProviderError) {
        if let failure { throw failure.afterOutput(hadOutput) }
    }

    private mutating func read(
        _ received: [ServerSentEvent], _ fault: HTTPError?
    ) throws(ProviderError) -> [ProviderEvent] {
        events = []
        for event in received where !isDone && failure == nil { read(event.data) }
        if let fault, failure == nil, !isDone {
            fail(ProviderError(.providerBadResponse, .malformed, providerWords: fault.description))
        }
        if events.contains(where: \.isOutput) { hadOutput = true }
        if events.isEmpty { try throwFailure() }
        return events
    }

    private mutating func read(_ data: [UInt8]) {
        if data.starts(with: "[DONE]".utf8) {
            isDone = true
            return
        }
        if data.allSatisfy({ $0 == 0x20 || $0 == 0x0A }) { return }
        do throws(JSONError) {
            try Self.projection.read(data.span, into: &values)
            if let error = values[7], error != .null {
                let body = OpenAIErrorBody(try Self.value(error, in: data))
                fail(
                    ProviderError(
                        status: body.status ?? 200, body: body, fields: [:], cause: .streamError, apiKey: apiKey,
                        now: 0))
                return
            }
            if let text = values[1]?.stringValue ?? values[2]?.stringValue, !text.isEmpty {
                events.appendJoining(.reasoning(text))
            }
            // A refusal is the model's text too; it comes instead of content.
            for text in [values[0]?.stringValue, values[3]?.stringValue] {
                if let text, !text.isEmpty { events.appendJoining(.content(text)) }
            }
            if let calls = values[4], calls.containerRange != nil { readCalls(try Self.value(calls, in: data)) }
            if let word = values[5]?.stringValue, !word.isEmpty, !hasFinished {
                let reason = OpenAIAnswer.finishReason(word)
                finishReason = reason
                events.append(.finish(reason))
            }
            if let usage = values[6], usage.containerRange != nil {
                events.append(.usage(OpenAIAnswer.usage(try Self.value(usage, in: data))))
            }
        } catch {
            fail(ProviderError(.providerBadResponse, .malformed, providerWords: error.description))
        }
    }

    private mutating func readCalls(_ calls: JSONValue) {
        for (position, call) in (calls.arrayValue ?? []).enumerated() {
            let function = call["function"]
            events.append(
                .toolCall(
                    ToolCallDelta(
                        index: call["index"]?.integerValue.flatMap { Int(exactly: $0) } ?? position,
                        id: call["id"]?.stringValue, name: function?["name"]?.stringValue,
                        arguments: function?["arguments"]?.stringValue ?? "")))
        }
    }

    private static func value(_ fragment: JSONFragment, in data: [UInt8]) throws(JSONError) -> JSONValue {
        switch fragment {
        case .container(let range): try JSONParser.parse(data.span.extracting(range), policy: .repairing)
        case .string(let text): .string(text)
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .bool(let flag): .bool(flag)
        case .null: .null
        }
    }
}
