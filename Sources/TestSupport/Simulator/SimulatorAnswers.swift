// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTP
import JSON

/// The simulator's answers that are not streams, as complete wire bytes.
enum SimulatorAnswers {
    static func json(_ status: Int, _ body: [UInt8], fields: [(String, String)] = []) -> [UInt8] {
        whole(status, contentType: "application/json", body, fields: fields)
    }

    static func whole(
        _ status: Int, contentType: String, _ body: [UInt8], fields: [(String, String)] = []
    ) -> [UInt8] {
        head(status, fields: [("Content-Type", contentType), ("Content-Length", "\(body.count)")] + fields) + body
    }

    static func head(_ status: Int, fields: [(String, String)]) -> [UInt8] {
        let reason = HTTPStatus(code: status).map { "\($0.reason)" } ?? ""
        let lines = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
        return Array("HTTP/1.1 \(status) \(reason)\r\n\(lines)\r\n".utf8)
    }

    static func errorBody(message: String, type: String, param: String? = nil, code: String?) -> [UInt8] {
        JSONWriter.object { body in
            body.objectMember("error") { error in
                error.member("message", message)
                error.member("type", type)
                error.member("param", param.map(JSONValue.string) ?? .null)
                error.member("code", code.map(JSONValue.string) ?? .null)
            }
        }
    }

    /// The refusal a scenario asks for, if any.
    static func refusal(_ scenario: SimulatorScenario, body: JSONValue) -> [UInt8]? {
        for parameter in scenario.refusedParameters where body[parameter] != nil {
            return error(
                400, "Unsupported parameter: '\(parameter)' is not supported with this model.",
                type: "invalid_request_error", param: parameter, code: "unsupported_parameter")
        }
        if scenario.faults.contains(.refuseStream), body["stream"]?.boolValue == true {
            return error(
                400, "This model does not support streaming.", type: "invalid_request_error", param: "stream",
                code: "unsupported_value")
        }
        return SimulatorScenario.Fault.allCases.lazy.filter(scenario.faults.contains)
            .compactMap { status($0, scenario) }.first
    }

    private static func status(_ fault: SimulatorScenario.Fault, _ scenario: SimulatorScenario) -> [UInt8]? {
        switch fault {
        case .status429:
            var fields: [(String, String)] = []
            if let wait = scenario.retryAfter { fields.append(("Retry-After", wait)) }
            if let wait = scenario.retryAfterMilliseconds { fields.append(("retry-after-ms", wait)) }
            return error(
                429, "Rate limit reached for requests.", type: "requests", code: "rate_limit_exceeded", fields: fields)
        case .quota429:
            return error(
                429, "You exceeded your current quota, please check your plan and billing details.",
                type: "insufficient_quota", code: "insufficient_quota")
        case .status500: return error(500, "The server had an error.", type: "server_error", code: nil)
        case .status502: return whole(502, contentType: "text/html", Array("<html>Bad Gateway</html>".utf8))
        case .status503:
            return error(
                503, "The server is overloaded.", type: "service_unavailable_error", code: "server_is_overloaded")
        case .status401:
            return error(
                401, "Incorrect API key provided: sk-****1234.", type: "invalid_request_error", code: "invalid_api_key")
        case .status404:
            return error(404, "The model does not exist.", type: "invalid_request_error", code: "model_not_found")
        case .context:
            return error(
                400, "This model's maximum context length is 8192 tokens.", type: "invalid_request_error",
                param: "messages", code: "context_length_exceeded")
        case .contentFilter:
            return error(
                400, "The response was filtered.", type: "invalid_request_error", param: "prompt",
                code: "content_filter")
        case .refuseStream, .hang, .stall, .reset, .close, .badJSON, .errorEvent, .splitUTF8, .crlf, .noUsage,
            .noDone, .noFinish, .heartbeats:
            return nil
        }
    }

    static func error(
        _ status: Int, _ message: String, type: String, param: String? = nil, code: String?,
        fields: [(String, String)] = []
    ) -> [UInt8] {
        json(status, errorBody(message: message, type: type, param: param, code: code), fields: fields)
    }

    static func models() -> [UInt8] {
        json(
            200,
            JSONWriter.object { body in
                body.member("object", "list")
                body.arrayMember("data") { data in
                    for id in ["sim/text", "sim/embedding"] {
                        data.object { model in
                            model.member("id", id)
                            model.member("object", "model")
                            model.member("created", 1)
                            model.member("owned_by", "simulator")
                        }
                    }
                }
            })
    }

    // MARK: Embeddings

    static func embeddings(_ body: JSONValue, _ scenario: SimulatorScenario) -> [UInt8] {
        let inputs = inputs(of: body["input"] ?? .null)
        guard !inputs.isEmpty else {
            return error(400, "'input' must not be empty.", type: "invalid_request_error", param: "input", code: nil)
        }
        let dimensions = body["dimensions"]?.integerValue.map { Int($0) } ?? scenario.dimensions
        let isBase64 = body["encoding_format"]?.stringValue == "base64"
        let tokens = inputs.reduce(0) { $0 + ($1.utf8.count + 3) / 4 }
        return json(
            200,
            JSONWriter.object { answer in
                answer.member("object", "list")
                answer.arrayMember("data") { data in
                    for (index, input) in inputs.enumerated() {
                        data.object { item in
                            item.member("object", "embedding")
                            item.member("index", index)
                            let vector = vector(for: input, dimensions: dimensions)
                            if isBase64 {
                                item.member("embedding", base64(vector))
                            } else {
                                item.arrayMember("embedding") { list in
                                    for component in vector { list.number(Double(component)) }
                                }
                            }
                        }
                    }
                }
                answer.member("model", body["model"] ?? .null)
                answer.objectMember("usage") { usage in
                    usage.member("prompt_tokens", tokens)
                    usage.member("total_tokens", tokens)
                }
            })
    }

    /// Unit vectors that depend on the text only.
    static func vector(for text: String, dimensions: Int) -> [Float] {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let raw = (0..<max(1, dimensions)).map { _ -> Double in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
        }
        let length = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return raw.map { Float($0 / max(length, .leastNormalMagnitude)) }
    }

    private static func base64(_ vector: [Float]) -> String {
        var data = Data(capacity: vector.count * 4)
        for component in vector {
            let bits = component.bitPattern
            for shift in [0, 8, 16, 24] { data.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift))) }
        }
        return data.base64EncodedString()
    }

    /// A text, texts, a list of tokens, or lists of tokens.
    private static func inputs(of value: JSONValue) -> [String] {
        if let text = value.stringValue { return [text] }
        let items = value.arrayValue ?? []
        if items.first?.integerValue != nil { return [describe(value)] }
        return items.map { $0.stringValue ?? describe($0) }
    }

    private static func describe(_ value: JSONValue) -> String {
        String(decoding: JSONWriter.encode(value), as: UTF8.self)
    }
}
