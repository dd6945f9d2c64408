// SPDX-License-Identifier: Apache-2.0

/// What a reply is after the events of its log: the one definition of how events become the stored text.
///
/// The stored text equals the fold of the log, and a client that folds the same way has the same text. Used by the
/// final transaction, by who ends a job outside its run, and for continuation after a crash. Cost: linear in the text.
package struct ReplyFold: Sendable, Equatable {
    /// The text so far.
    package private(set) var text = ""
    /// The thinking of the present attempt; earlier attempts' is void.
    package private(set) var reasoning = ""
    /// The function calls of the present attempt; earlier attempts' are void.
    package private(set) var toolCalls = ToolCallAccumulator()
    /// Why the text ends; `nil` before `stop`.
    package private(set) var finishReason: FinishReason?
    /// The last figures, first an estimate, then the truth.
    package private(set) var usage: Usage?
    /// The terminal failure.
    package private(set) var error: StreamFailure?
    /// Whether a client can have seen anything of the reply, in any attempt: then another lease begins with `restart`.
    package private(set) var hadOutput = false
    /// Whether a terminal event has come.
    package private(set) var isEnded = false
    /// The last event folded.
    package private(set) var cursor = StreamCursor.beginning
    /// Whether a `restart` kept more than there was, or part of a code point: a fault of its writer. The text was then
    /// cut to the whole code points within what there was.
    package private(set) var hadInvalidKeep = false

    /// Before the first event.
    package init() {}

    /// Bytes of UTF-8 of the text, as `restart.keep` counts and `complete` tells.
    package var contentLengthBytes: Int { text.utf8.count }

    /// Takes the next event. One at or before the cursor is a repetition and changes nothing.
    /// - Returns: whether the event was new.
    @discardableResult
    package mutating func apply(_ event: StreamEvent, at cursor: StreamCursor) -> Bool {
        guard cursor > self.cursor else { return false }
        self.cursor = cursor
        if event.kind.isOutput { hadOutput = true }
        switch event {
        case .content(let delta): text += delta
        case .reasoning(let delta): reasoning += delta
        case .toolCall(let delta): toolCalls.append(delta)
        case .restart(let restart): self.restart(keeping: restart.keptBytes)
        case .usage(let figures): usage = figures
        case .stop(let reason): finishReason = reason
        case .complete(let completion):
            finishReason = completion.finishReason
            usage = completion.usage
            isEnded = true
        case .error(let failure):
            error = failure
            isEnded = true
        case .start, .queued, .end, .title: break
        }
        return true
    }

    private mutating func restart(keeping keptBytes: Int) {
        reasoning = ""
        toolCalls = ToolCallAccumulator()
        finishReason = nil
        let kept = text.prefix(utf8Bytes: keptBytes)
        if kept.utf8.count != keptBytes { hadInvalidKeep = true }
        text = kept
    }
}

extension String {
    /// The longest prefix of whole code points within so many bytes of UTF-8.
    func prefix(utf8Bytes count: Int) -> String {
        guard count > 0 else { return "" }
        guard var end = utf8.index(utf8.startIndex, offsetBy: count, limitedBy: utf8.endIndex) else { return self }
        while end > startIndex {
            if let boundary = end.samePosition(in: unicodeScalars) {
                return String(unicodeScalars[..<boundary])
            }
            end = utf8.index(before: end)
        }
        return ""
    }
}
