// SPDX-License-Identifier: Apache-2.0

/// What of a window a prompt may use, and which messages go into it.
package struct ContextBudget: Sendable, Hashable {
    /// Tokens with which a chat model's reply is primed.
    package static let replyPrimerTokens = 3

    /// The note that stands for dropped messages when no summary does.
    package static let omissionNote = "Earlier messages of this conversation were omitted because of its length."

    /// The model's context limit, or the smaller personal one.
    package let windowTokens: Int
    /// What is kept free for the reply.
    package let reservedTokens: Int

    /// - Parameters:
    ///   - modelLimitTokens: the model's window.
    ///   - personalLimitTokens: counts when it is positive and smaller.
    ///   - maxOutputTokens: what the reply may use; else the smaller of 4096 and a quarter of the window.
    package init(modelLimitTokens: Int, personalLimitTokens: Int? = nil, maxOutputTokens: Int? = nil) {
        let personal = personalLimitTokens.flatMap { $0 > 0 ? $0 : nil } ?? modelLimitTokens
        windowTokens = min(modelLimitTokens, personal)
        reservedTokens = maxOutputTokens ?? min(4096, windowTokens / 4)
    }

    /// What the prompt may use; not positive when the reserve takes the whole window.
    package var promptTokens: Int { windowTokens - reservedTokens }

    /// Whether a thread leaves so little room that it should be summarized before the next turn needs it.
    package func shouldSummarize(threadTokens: Int) -> Bool {
        threadTokens * 10 > promptTokens * 6
    }

    /// Chooses the newest contiguous turns that fit, newest first.
    ///
    /// The newest user message and what follows it always go in. The turns never begin with a tool's result or with
    /// calls whose results may be cut. When something is dropped, or the thread was loaded only from the summary on, the
    /// summary goes in as one system message; without one, or when it does not fit, the note does.
    /// - Parameters:
    ///   - messages: the thread, oldest first.
    ///   - instructions: all instructions merged, or `nil`.
    ///   - summary: the newest summary of this branch. When its message is not in `messages`, it stands for what lies
    ///     before them.
    ///   - omissionNoteTokens: the cost of `omissionNote` as a system message.
    /// - Returns: the plan; nothing waits for a missing summary.
    /// - Throws: ``ContextError`` when instructions or the newest message alone do not fit.
    package func plan(
        messages: [CountedMessage], instructions: CountedText?, summary: ThreadSummary?, omissionNoteTokens: Int
    ) throws(ContextError) -> ContextPlan {
        let instructionTokens = instructions?.tokens ?? 0
        guard instructionTokens == 0 || instructionTokens <= promptTokens else {
            throw ContextError(part: .instructions, requiredTokens: instructionTokens, availableTokens: promptTokens)
        }
        let available = promptTokens - instructionTokens - Self.replyPrimerTokens
        let required = messages[Self.requiredStart(of: messages)...].reduce(0) { $0 + $1.tokens }
        guard required <= available else {
            throw ContextError(
                part: .newestMessage, requiredTokens: required, availableTokens: max(0, available))
        }

        let summaryEnd = summary.map { summary in
            (messages.firstIndex { $0.id == summary.throughMessageID } ?? -1) + 1
        }
        let beginsAfterSummary = summaryEnd == 0
        var start = Self.start(of: messages, within: available, isCut: beginsAfterSummary)
        var preface: CountedText?
        var usesSummary = false
        if start > 0 || beginsAfterSummary {
            let note = CountedText(text: Self.omissionNote, tokens: omissionNoteTokens)
            if let summary, summary.content.tokens <= available - required {
                preface = summary.content
                usesSummary = true
            } else if note.tokens <= available - required {
                preface = note
            }
            start = Self.start(
                of: messages, within: available - (preface?.tokens ?? 0), isCut: beginsAfterSummary)
        }

        let system = [instructions, preface].compactMap { $0 }
        let included = messages[start...]
        let tokensPerMessage = system.map(\.tokens) + included.map(\.tokens)
        let coveredEnd = usesSummary ? min(summaryEnd ?? 0, start) : 0
        return ContextPlan(
            messages: system.map { ChatMessage(role: .system, content: $0.text) } + included.map(\.message),
            tokensPerMessage: tokensPerMessage,
            promptTokens: tokensPerMessage.reduce(Self.replyPrimerTokens, +),
            contextLimit: windowTokens,
            reservedTokens: reservedTokens,
            includedMessageIDs: included.map(\.id),
            droppedMessageIDs: messages[..<start].map(\.id),
            messagesToRefine: messages[coveredEnd..<start].map(\.id),
            summarizedThroughMessageID: usesSummary ? summary?.throughMessageID : nil)
    }

    /// Where the part begins that is never dropped: the newest user message, else the last message.
    private static func requiredStart(of messages: [CountedMessage]) -> Int {
        messages.lastIndex { $0.message.role == .user } ?? max(0, messages.count - 1)
    }

    /// Where the longest suffix within so many tokens begins; when the thread is cut there or was before, moved on to a
    /// turn that may begin a prompt.
    private static func start(of messages: [CountedMessage], within tokens: Int, isCut: Bool) -> Int {
        let requiredStart = requiredStart(of: messages)
        var left = tokens
        var start = messages.count
        while start > 0, start > requiredStart || messages[start - 1].tokens <= left {
            start -= 1
            left -= messages[start].tokens
        }
        guard isCut || start > 0 else { return start }
        while start < requiredStart, !messages[start].message.mayBeginPrompt { start += 1 }
        return start
    }
}

extension ChatMessage {
    /// Whether a prompt that was cut may begin with it.
    fileprivate var mayBeginPrompt: Bool {
        role != .tool && (role != .assistant || toolCalls.isEmpty)
    }
}
