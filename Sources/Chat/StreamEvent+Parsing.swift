// SPDX-License-Identifier: Apache-2.0
package import JSON

extension StreamEvent {
    /// Reads an event back from the log.
    /// - Throws: ``StoredValueError`` when it is no event of ours: not JSON, an unknown type, or a field missing.
    package init(json: [UInt8]) throws(StoredValueError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(json)
        } catch {
            throw StoredValueError(field: error.path, reason: error.description)
        }
        try self.init(value)
    }

    /// As `init(json:)`, from a parsed value.
    package init(_ value: JSONValue) throws(StoredValueError) {
        let fields = try StoredObject(value)
        guard let kind = StreamEventKind(name: try fields.string("type")) else {
            throw StoredValueError(field: "type", reason: "is unknown")
        }
        switch kind {
        case .start: self = .start(try StreamStart(fields))
        case .queued: self = .queued(try StreamQueued(fields))
        case .usage: self = .usage(try Usage(fields.value("usage")))
        case .content: self = .content(try fields.string("content"))
        case .reasoning: self = .reasoning(try fields.string("content"))
        case .toolCall: self = .toolCall(try ToolCallDelta(fields))
        case .restart:
            self = .restart(
                StreamRestart(
                    attempt: try fields.integer("attempt"), reason: try fields.string("reason"),
                    keptBytes: try fields.integer("keep")))
        case .stop: self = .stop(FinishReason(rawValue: try fields.string("reason")))
        case .end: self = .end
        case .complete: self = .complete(try StreamCompletion(fields))
        case .error: self = .error(try StreamFailure(fields))
        case .title:
            self = .title(
                StreamTitle(sessionID: try fields.identifier("sessionId"), title: try fields.string("title")))
        }
    }
}

extension StreamStart {
    fileprivate init(_ fields: StoredObject) throws(StoredValueError) {
        self.init(
            messageID: try fields.optionalIdentifier("messageId"),
            userMessageID: try fields.optionalIdentifier("userMessageId"),
            sessionID: try fields.optionalIdentifier("sessionId"),
            jobID: try fields.identifier("jobId"),
            attempt: try fields.integer("attempt"))
    }
}

extension StreamQueued {
    fileprivate init(_ fields: StoredObject) throws(StoredValueError) {
        self.init(
            position: try fields.optionalInteger("position"),
            reason: try fields.string("reason"),
            until: try fields.optional("until") { $0.stringValue.flatMap { Timestamp($0) } })
    }
}

extension StreamCompletion {
    fileprivate init(_ fields: StoredObject) throws(StoredValueError) {
        self.init(
            messageID: try fields.optionalIdentifier("messageId"),
            finishReason: FinishReason(rawValue: try fields.string("finishReason")),
            usage: try Usage(fields.value("usage")),
            contentLengthBytes: try fields.integer("contentLength"))
    }
}

extension StreamFailure {
    /// A code of a newer version reads as `internal`; its sentence and advice are kept.
    fileprivate init(_ fields: StoredObject) throws(StoredValueError) {
        self.init(
            code: ErrorCode(rawValue: try fields.string("code")) ?? .internalError,
            message: try fields.string("error"),
            isRetryable: try fields.bool("retryable"),
            retryAfterMilliseconds: try fields.optional("retryAfterMs") { $0.integerValue })
    }
}
