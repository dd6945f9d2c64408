// SPDX-License-Identifier: Apache-2.0
package import JSON

extension StreamEvent {
    /// The `data:` of the SSE frame and the payload in the token log: `{"type":"content","content":"…"}`.
    package var json: [UInt8] {
        var writer = JSONWriter(reservingBytes: 96)
        write(to: &writer)
        return writer.bytes
    }

    /// Appends what `json` holds.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", kind.name)
            writeFields(to: &writer)
        }
    }

    private func writeFields(to writer: inout JSONWriter) {
        switch self {
        case .start(let start): start.writeFields(to: &writer)
        case .queued(let queued):
            if let position = queued.position { writer.member("position", position) }
            writer.member("reason", queued.reason)
            if let until = queued.until { writer.member("until", until.description) }
        case .usage(let usage): writer.objectMember("usage") { usage.writeFields(to: &$0) }
        case .content(let text), .reasoning(let text): writer.member("content", text)
        case .toolCall(let delta): delta.writeFields(to: &writer)
        case .restart(let restart):
            writer.member("attempt", restart.attempt)
            writer.member("reason", restart.reason)
            writer.member("keep", restart.keptBytes)
        case .stop(let reason): writer.member("reason", reason.rawValue)
        case .end: break
        case .complete(let completion):
            if let id = completion.messageID { writer.member("messageId", id.description) }
            writer.member("finishReason", completion.finishReason.rawValue)
            writer.objectMember("usage") { completion.usage.writeFields(to: &$0) }
            writer.member("contentLength", completion.contentLengthBytes)
        case .error(let failure):
            writer.member("code", failure.code.rawValue)
            writer.member("error", failure.message)
            writer.member("retryable", failure.isRetryable)
            if let delay = failure.retryAfterMilliseconds { writer.member("retryAfterMs", delay) }
        case .title(let title):
            writer.member("sessionId", title.sessionID.description)
            writer.member("title", title.title)
        }
    }
}

extension StreamStart {
    fileprivate func writeFields(to writer: inout JSONWriter) {
        if let messageID { writer.member("messageId", messageID.description) }
        if let userMessageID { writer.member("userMessageId", userMessageID.description) }
        if let sessionID { writer.member("sessionId", sessionID.description) }
        writer.member("jobId", jobID.description)
        writer.member("attempt", attempt)
    }
}
