// SPDX-License-Identifier: Apache-2.0

/// One event of a chat stream, as clients see it and as the token log stores it.
///
/// A finished stream ends `stop`, `usage`, `end`, `complete`; a failed one ends `error`. `title` is live only and is
/// never in the log.
package enum StreamEvent: Sendable, Equatable {
    /// The turn is stored and accepted.
    case start(StreamStart)
    /// It has to wait.
    case queued(StreamQueued)
    /// An estimate before the first token, the authoritative figures once before `end`.
    case usage(Usage)
    /// A piece of the reply's text.
    case content(String)
    /// A piece of the model's thinking.
    case reasoning(String)
    /// A piece of a function call.
    case toolCall(ToolCallDelta)
    /// What follows replaces all but the first bytes of the text.
    case restart(StreamRestart)
    /// Why the text ends.
    case stop(FinishReason)
    /// The provider has finished.
    case end
    /// The message is stored.
    case complete(StreamCompletion)
    /// The turn has failed for good.
    case error(StreamFailure)
    /// The session has a new title.
    case title(StreamTitle)

    /// The kind, which is stored beside the payload.
    package var kind: StreamEventKind {
        switch self {
        case .start: .start
        case .queued: .queued
        case .usage: .usage
        case .content: .content
        case .reasoning: .reasoning
        case .toolCall: .toolCall
        case .restart: .restart
        case .stop: .stop
        case .end: .end
        case .complete: .complete
        case .error: .error
        case .title: .title
        }
    }

    /// Whether no event follows this one in a job's life.
    package var isTerminal: Bool { kind.isTerminal }
}

/// Payload of `start`. A job behind the OpenAI-compatible surface has no message or session; those ids are left out.
package struct StreamStart: Sendable, Equatable {
    /// The reply, stored as a placeholder.
    package var messageID: MessageID?
    /// The turn it answers.
    package var userMessageID: MessageID?
    /// The conversation.
    package var sessionID: SessionID?
    /// The job that makes the reply.
    package var jobID: JobID
    /// From 1; a parked or handed-over run keeps its number.
    package var attempt: Int

    /// See the properties.
    package init(
        messageID: MessageID?, userMessageID: MessageID?, sessionID: SessionID?, jobID: JobID, attempt: Int = 1
    ) {
        self.messageID = messageID
        self.userMessageID = userMessageID
        self.sessionID = sessionID
        self.jobID = jobID
        self.attempt = attempt
    }
}

/// Payload of `queued`.
package struct StreamQueued: Sendable, Equatable {
    /// How many are before it, where that is known.
    package var position: Int?
    /// A machine word: `session_busy`, `rate_limited`, `provider_busy`, ….
    package var reason: String
    /// When the wait ends at the earliest, where that is known.
    package var until: Timestamp?

    /// See the properties.
    package init(position: Int? = nil, reason: String, until: Timestamp? = nil) {
        self.position = position
        self.reason = reason
        self.until = until
    }
}

/// Payload of `restart`.
package struct StreamRestart: Sendable, Equatable {
    /// The attempt that begins.
    package var attempt: Int
    /// A machine word: `worker_lost`, `upstream_broken`, ….
    package var reason: String
    /// Bytes of UTF-8 `content` that remain valid; 0 discards all.
    package var keptBytes: Int

    /// See the properties.
    package init(attempt: Int, reason: String, keptBytes: Int = 0) {
        self.attempt = attempt
        self.reason = reason
        self.keptBytes = keptBytes
    }
}

/// Payload of `complete`.
package struct StreamCompletion: Sendable, Equatable {
    /// The stored reply; left out where the job has none.
    package var messageID: MessageID?
    /// Why the text ends.
    package var finishReason: FinishReason
    /// The authoritative figures.
    package var usage: Usage
    /// Bytes of UTF-8 of the stored text, so that a client can check what it has.
    package var contentLengthBytes: Int

    /// See the properties.
    package init(messageID: MessageID?, finishReason: FinishReason, usage: Usage, contentLengthBytes: Int) {
        self.messageID = messageID
        self.finishReason = finishReason
        self.usage = usage
        self.contentLengthBytes = contentLengthBytes
    }
}

/// Payload of `error`.
package struct StreamFailure: Sendable, Equatable {
    /// The machine word.
    package var code: ErrorCode
    /// The sentence a person reads.
    package var message: String
    /// Whether asking again may help.
    package var isRetryable: Bool
    /// How long to wait before that, where it is known.
    package var retryAfterMilliseconds: Int64?

    /// The sentence and the advice are the code's own unless given.
    package init(
        code: ErrorCode, message: String? = nil, isRetryable: Bool? = nil, retryAfterMilliseconds: Int64? = nil
    ) {
        self.code = code
        self.message = message ?? code.message
        self.isRetryable = isRetryable ?? code.isRetryable
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}

/// Payload of `title`.
package struct StreamTitle: Sendable, Equatable {
    /// The conversation.
    package var sessionID: SessionID
    /// Its title from now on.
    package var title: String

    /// See the properties.
    package init(sessionID: SessionID, title: String) {
        self.sessionID = sessionID
        self.title = title
    }
}
