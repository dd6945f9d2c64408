// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import Jobs
import Persistence

/// The stream of a reply whose log is gone, made of what is stored.
struct StoredReply: Sendable {
    let message: StoredMessage
    let record: JobRecord

    /// What the last frame carries: who comes back with it has everything.
    static func lastCursor(of record: JobRecord) -> StreamCursor {
        StreamCursor(lease: record.lease, sequence: .max)
    }

    /// The frames; only the last has an id, so that a reader who lost some of them begins again. What a reader who goes
    /// on has of the text is taken back by `restart`.
    func frames(isContinued: Bool) -> [UInt8] {
        var events: [StreamEvent] = []
        if isContinued {
            events.append(
                .restart(StreamRestart(attempt: max(1, Int(record.attempt)), reason: "log_expired", keptBytes: 0)))
        }
        if !message.content.isEmpty { events.append(.content(message.content)) }
        var bytes: [UInt8] = []
        for event in events { append(event, id: nil, to: &bytes) }
        append(last, id: Self.lastCursor(of: record).description, to: &bytes)
        return bytes
    }

    private var last: StreamEvent {
        if let failure = message.failure {
            return .error(
                StreamFailure(code: ErrorCode(rawValue: failure.code) ?? .internalError, message: failure.message))
        }
        let usage = message.usage ?? Usage(promptTokens: 0, contextLimit: 0, isEstimated: true)
        return .complete(
            StreamCompletion(
                messageID: message.id, finishReason: message.finishReason ?? .stop, usage: usage,
                contentLengthBytes: message.content.utf8.count))
    }

    private func append(_ event: StreamEvent, id: String?, to bytes: inout [UInt8]) {
        ServerSentEvent.encode(id: id, event: event.kind.name, data: event.json, into: &bytes)
    }
}
