// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Observability

/// What an OpenAI-compatible server says went wrong: `{"error":{"message","type","param","code"}}`, and what others
/// make of it (`{"error":"text"}`, `{"message":…}`, `{"detail":…}`, HTML).
struct OpenAIErrorBody: Equatable {
    var message: String
    var type: String?
    var parameter: String?
    var code: String?
    /// Some servers put the status into the body of an error within a stream.
    var status: Int?

    /// Reads an answer's body; what is no JSON is taken as words.
    init(body: [UInt8]) {
        do throws(JSONError) {
            self.init(try JSONParser.parse(body, policy: .repairing))
        } catch {
            self.init(.string(String(decoding: body.prefix(2000), as: UTF8.self)))
        }
    }

    /// Reads the body, or the value of its member `error`.
    init(_ value: JSONValue) {
        var error = value["error"] ?? value
        // Some wrap the error into a list.
        if let first = error[0] { error = first["error"] ?? first }
        if let text = error.stringValue {
            message = text
            return
        }
        message =
            error["message"]?.stringValue ?? error["detail"]?.stringValue
            ?? String(decoding: JSONWriter.encode(error), as: UTF8.self)
        type = error["type"]?.stringValue
        parameter = error["param"]?.stringValue
        code = error["code"]?.stringValue
        status = (error["code"]?.integerValue ?? error["status"]?.integerValue).flatMap { Int(exactly: $0) }
    }

    /// The words that decide, in lower case.
    private var words: String { [code, type, message].compactMap(\.self).joined(separator: " ").lowercased() }

    private func has(_ candidates: String...) -> Bool {
        let words = words
        return candidates.contains { words.contains($0) }
    }

    /// What it means, by status and words.
    func errorCode(status: Int) -> (code: ErrorCode, isRetryable: Bool?) {
        if has("insufficient_quota", "credit_balance", "exceeded your current quota", "spend limit", "billing") {
            return (.providerQuota, nil)
        }
        if has("context_length_exceeded", "maximum context length", "context window", "prompt is too long") {
            return (.contextLength, nil)
        }
        if has("content_filter", "content_policy", "responsibleaipolicy", "safety system") {
            return (.contentFilter, nil)
        }
        switch status {
        case 401, 403: return (.providerAuth, nil)
        case 402: return (.providerQuota, nil)
        case 429: return (.rateLimited, nil)
        case 408, 504: return (.providerTimeout, nil)
        case 500...599: return (.providerUnavailable, nil)
        default:
            if has("rate_limit", "slow_down", "too many requests") { return (.rateLimited, nil) }
            if has("invalid_api_key", "authentication") { return (.providerAuth, nil) }
            // Within a stream there is no status: what else is said there is the server's own trouble.
            if (200..<300).contains(status) { return (.providerUnavailable, nil) }
            return (.providerBadResponse, false)
        }
    }

    /// Which of the parameters that were sent a 400 names, if any.
    func refusedParameter(among sent: Set<String>) -> String? {
        if let parameter {
            let name = String(parameter.prefix { $0 != "." && $0 != "[" })
            if sent.contains(name) { return name }
        }
        let words = message.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
        // A word like "stop" may stand in any sentence: only names that cannot be prose count without `param`.
        return words.lazy.map(String.init).first { sent.contains($0) && ($0.contains("_") || $0 == "temperature") }
    }

    /// Whether a 400 refuses streaming as such.
    var refusesStreaming: Bool {
        if parameter == "stream" { return true }
        let words = message.lowercased()
        return words.contains("stream") && !words.contains("stream_options")
            && (words.contains("not support") || words.contains("unsupported") || words.contains("not allowed"))
    }
}

extension ProviderError {
    /// An answer that is an error.
    init(
        status: Int, body: OpenAIErrorBody, fields: HTTPFields, cause: Cause = .status, apiKey: Secret?, now: Int64
    ) {
        let (code, isRetryable) = body.errorCode(status: status)
        self.init(
            code, cause, status: status, retryAfter: RetryAfter.duration(in: fields, now: now),
            isRetryable: isRetryable, providerCode: body.code ?? body.type,
            providerWords: ProviderWords.redacted(body.message, apiKey: apiKey))
    }
}
