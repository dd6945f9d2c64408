// SPDX-License-Identifier: Apache-2.0
import HTTP
import JSON

/// What the simulator does with one request, chosen by the request itself.
///
/// Read in this order, the later one winning: the query of the model string
/// (`sim/text?tokens=50&itl=20ms&fault=reset&after=10`), the header `X-Simulator` of the same form, and
/// `{"simulator":{…}}` as the whole text of the last user message. Unknown names are ignored.
package struct SimulatorScenario: Sendable, Equatable {
    /// A way to misbehave; several may be given, separated by commas.
    package enum Fault: String, Sendable, CaseIterable {
        /// An answer instead of the model's: 429 with `retryAfter=` or `retryAfterMs=`.
        case status429, status500, status502, status503, status401, status404, quota429, refuseStream
        /// 400 because the prompt is too long, or because of its content.
        case context = "400context"
        case contentFilter = "400filter"
        /// Reads the request and never answers.
        case hang
        /// Stops after `after` tokens and keeps the connection open.
        case stall
        /// Resets the connection after `after` tokens.
        case reset
        /// Closes the connection after `after` tokens, in order but without the end of the body.
        case close
        /// Sends a data line that is no JSON after `after` tokens, and goes on.
        case badJSON
        /// Sends an error object after `after` tokens, and ends.
        case errorEvent
        /// Cuts chunks and writes within code points.
        case splitUTF8
        /// Ends lines with CRLF.
        case crlf
        /// Leaves the usage out, though asked for it.
        case noUsage
        /// Ends without `[DONE]`.
        case noDone
        /// Ends without a finish reason and without `[DONE]`.
        case noFinish
        /// Sends `: ping` before each token.
        case heartbeats
    }

    /// How many tokens of text are sent; those of `text` when that is given.
    package var tokenCount = 20
    /// From the request to the first token.
    package var firstToken = Duration.zero
    /// Between tokens.
    package var betweenTokens = Duration.zero
    /// Letters that go before each built-in word, for replies that are large.
    package var paddingBytes = 0
    /// Sent word by word instead of the built-in words.
    package var text: String?
    /// Each token is `<number>@<microseconds> `, the time of its sending.
    package var stamps = false
    /// The stamps are of CLOCK_REALTIME instead of CLOCK_MONOTONIC.
    package var stampsRealTime = false
    /// Tokens of `reasoning_content` before the text.
    package var reasoningTokenCount = 0
    /// Answers with a function call instead of text.
    package var callsTool = false
    /// What goes wrong.
    package var faults: Set<Fault> = []
    /// Tokens before a fault that comes in the middle; half of them unless given.
    package var after: Int?
    /// The faults hold for the first so many requests with this model string only.
    package var times: Int?
    /// As the header shall say it.
    package var retryAfter: String?
    /// As the header `retry-after-ms` shall say it.
    package var retryAfterMilliseconds: String?
    /// Members of the request that are refused with 400.
    package var refusedParameters: [String] = []
    /// Instead of `stop`, `length` or `tool_calls`.
    package var finishReason: String?
    /// Tells this prompt size instead of an estimate.
    package var promptTokenCount: Int?
    /// Components of embeddings when the request names none.
    package var dimensions = 1536

    /// Behaves.
    package init() {}

    /// The scenario of a request.
    init(model: String, header: String?, lastUserMessage: String?) {
        if let query = model.firstIndex(of: "?") { apply(query: String(model[model.index(after: query)...])) }
        if let header { apply(query: header) }
        if let lastUserMessage, lastUserMessage.hasPrefix("{"), let object = Self.object(lastUserMessage) {
            for (name, value) in object.members { apply(name, Self.text(of: value)) }
        }
    }

    /// Without what goes wrong.
    var withoutFaults: SimulatorScenario {
        var scenario = self
        scenario.faults = []
        scenario.refusedParameters = []
        return scenario
    }

    private mutating func apply(query: String) {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            apply(String(parts[0]), parts.count > 1 ? Self.decoded(parts[1]) : "1")
        }
    }

    private mutating func apply(_ name: String, _ value: String) {
        switch name {
        case "tokens": tokenCount = Int(value) ?? tokenCount
        case "ttft": firstToken = Self.duration(value) ?? firstToken
        case "itl": betweenTokens = Self.duration(value) ?? betweenTokens
        case "pad": paddingBytes = Int(value) ?? 0
        case "text": text = value
        case "stamp": stamps = value != "0"
        case "clock": stampsRealTime = value == "realtime"
        case "reasoning": reasoningTokenCount = Int(value) ?? 0
        case "toolCall": callsTool = value != "0"
        case "fault": faults = Set(value.split(separator: ",").compactMap { Fault(rawValue: String($0)) })
        case "after": after = Int(value)
        case "times": times = Int(value)
        case "retryAfter": retryAfter = value
        case "retryAfterMs": retryAfterMilliseconds = value
        case "refuse": refusedParameters = value.split(separator: ",").map(String.init)
        case "finish": finishReason = value
        case "prompt": promptTokenCount = Int(value)
        case "dimensions": dimensions = max(1, Int(value) ?? dimensions)
        default: break
        }
    }

    private static func object(_ text: String) -> JSONObject? {
        do throws(JSONError) {
            return try JSONParser.parse(text)["simulator"]?.objectValue
        } catch {
            // An ordinary message that happens to begin with a brace.
            return nil
        }
    }

    private static func text(of value: JSONValue) -> String {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "1" : "0"
        default: String(decoding: JSONWriter.encode(value), as: UTF8.self)
        }
    }

    private static func duration(_ text: String) -> Duration? {
        let unit = text.drop { $0.isNumber || $0 == "." }
        guard let number = Double(text.dropLast(unit.count)) else { return nil }
        switch unit {
        case "us": return .microseconds(number)
        case "ms", "": return .milliseconds(number)
        case "s": return .seconds(number)
        default: return nil
        }
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
