// SPDX-License-Identifier: Apache-2.0
import Chat
import Providers

/// What a reply has come to so far, as the fold of its own lease sees it.
struct ReplyProgress: Sendable {
    private(set) var text = ""
    private(set) var hadOutput = false
    private(set) var finishReason: FinishReason?
    private(set) var reported: ReportedUsage?

    /// Takes a piece in; what it is to readers, if anything.
    mutating func apply(_ event: ProviderEvent) -> StreamEvent? {
        switch event {
        case .content(let piece):
            text += piece
            hadOutput = true
            return .content(piece)
        case .reasoning(let piece):
            hadOutput = true
            return .reasoning(piece)
        case .toolCall(let delta):
            hadOutput = true
            return .toolCall(delta)
        case .finish(let reason):
            finishReason = reason
            return nil
        case .usage(let usage):
            if reported == nil { reported = usage } else { reported?.merge(usage) }
            return nil
        }
    }
}
