// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Synchronization
import Tokenization

extension ChatRun {
    func conclusion(of end: RunEnd) -> RunConclusion {
        guard let payload else { return RunConclusion() }
        let state = state.withLock { $0 }
        let text = state.progress.text
        switch end {
        case .completed:
            return finished(payload, state, reason: state.progress.finishReason ?? .stop, status: .complete)
        case .cancelled:
            return finished(payload, state, reason: .cancelled, status: .incomplete)
        case .failed(let failure):
            let shown =
                failure.code == .contextLength
                ? StreamFailure(code: failure.code, message: failure.message) : StreamFailure(code: failure.code)
            let status: MessageStatus = text.isEmpty ? .failed : .incomplete
            return RunConclusion(
                events: [.error(shown)],
                effect: .reply(reply(payload, state, status: status, reason: nil, failure: shown)))
        case .again(let delay, _, _, let failure):
            let queued = StreamQueued(reason: failure.code.rawValue, until: now().advanced(by: delay))
            return RunConclusion(events: [.queued(queued)], effect: charge(state))
        case .handedOver: return RunConclusion(effect: charge(state))
        }
    }

    /// The provider charges for what it has said, though the next run says it anew. A call without an answer keeps the
    /// row that it began with, if it got one.
    private func charge(_ state: State) -> RunEffect {
        let hasAnswer = !state.progress.text.isEmpty || state.progress.reported != nil
        guard let call = state.call, hasAnswer || !state.isCallOpen else { return .none }
        return .usage(call, usage(state))
    }

    private func finished(
        _ payload: ChatPayload, _ state: State, reason: FinishReason, status: MessageStatus
    ) -> RunConclusion {
        let usage = usage(state)
        let completion = StreamCompletion(
            messageID: payload.messageID, finishReason: reason, usage: usage,
            contentLengthBytes: state.progress.text.utf8.count)
        var events: [StreamEvent] = [.stop(reason)]
        if services.settings.current.usageEmit { events.append(.usage(usage)) }
        events += [.end, .complete(completion)]
        return RunConclusion(
            events: events, effect: .reply(reply(payload, state, status: status, reason: reason, failure: nil)))
    }

    private func reply(
        _ payload: ChatPayload, _ state: State, status: MessageStatus, reason: FinishReason?, failure: StreamFailure?
    ) -> ReplyEnd {
        ReplyEnd(
            messageID: payload.messageID, sessionID: payload.sessionID, owner: job.userID,
            content: state.progress.text, status: status, finishReason: reason, failure: failure,
            usage: usage(state), model: state.call?.model ?? "", provider: state.call?.provider ?? "",
            call: state.call)
    }

    /// The provider's figures where it gave any; what it did not say is counted.
    private func usage(_ state: State) -> Usage {
        guard let plan = state.context?.plan else {
            return Usage(promptTokens: 0, completionTokens: 0, contextLimit: 0, isEstimated: true)
        }
        return Usage(
            reported: state.progress.reported ?? ReportedUsage(), countedPromptTokens: plan.promptTokens,
            countedCompletionTokens: services.counter.countTokens(in: state.progress.text),
            contextLimit: plan.contextLimit)
    }
}
