// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ContextBudgetTests {
    /// A thread in short hand: `u` user, `a` assistant, `c` assistant with calls, `t` tool result, `s` system; ids from 1.
    private static func thread(_ roles: String, tokens: [Int]) -> [CountedMessage] {
        zip(roles, tokens).enumerated().map { index, pair in
            let role: MessageRole =
                switch pair.0 {
                case "u": .user
                case "t": .tool
                case "s": .system
                default: .assistant
                }
            let calls = pair.0 == "c" ? [ToolCall(id: "1", name: "f", arguments: "{}")] : []
            return CountedMessage(
                id: .init(high: 0, low: UInt64(index + 1)),
                message: ChatMessage(role: role, content: "m\(index + 1)", toolCalls: calls), tokens: pair.1)
        }
    }

    private static func summary(through id: UInt64, tokens: Int) -> ThreadSummary {
        ThreadSummary(
            throughMessageID: .init(high: 0, low: id), content: CountedText(text: "summary", tokens: tokens))
    }

    private static func plan(
        budget: Int, _ roles: String, _ tokens: [Int], instructions: Int? = nil, summary: ThreadSummary? = nil,
        note: Int = 5
    ) throws(ContextError) -> ContextPlan {
        try ContextBudget(modelLimitTokens: budget + 100, maxOutputTokens: 100).plan(
            messages: thread(roles, tokens: tokens),
            instructions: instructions.map { CountedText(text: "instructions", tokens: $0) }, summary: summary,
            omissionNoteTokens: note)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let budget: Int
        let roles: String
        let tokens: [Int]
        var instructions: Int?
        var summary: ThreadSummary?
        let sent: [String]
        var refine: [UInt64] = []
        let promptTokens: Int
        var testDescription: String { name }
    }

    private static let note = ContextBudget.omissionNote

    static let cases: [Case] = [
        Case(
            name: "everything fits exactly", budget: 33, roles: "uau", tokens: [10, 10, 10], sent: ["m1", "m2", "m3"],
            promptTokens: 33),
        Case(
            name: "one token short drops the oldest and adds the note", budget: 32, roles: "uau", tokens: [10, 10, 10],
            sent: [note, "m2", "m3"], refine: [1], promptTokens: 28),
        Case(
            name: "the note itself costs a message", budget: 27, roles: "uau", tokens: [10, 10, 10],
            sent: [note, "m3"],
            refine: [1, 2], promptTokens: 18),
        Case(
            name: "the note stays out where it does not fit", budget: 17, roles: "uau", tokens: [10, 10, 10],
            sent: ["m3"],
            refine: [1, 2], promptTokens: 13),
        Case(
            name: "instructions come first and count", budget: 40, roles: "uau", tokens: [10, 10, 10], instructions: 7,
            sent: ["instructions", "m1", "m2", "m3"], promptTokens: 40),
        Case(
            name: "instructions push the oldest out", budget: 40, roles: "uau", tokens: [10, 10, 10], instructions: 8,
            sent: ["instructions", note, "m2", "m3"], refine: [1], promptTokens: 36),
        Case(
            name: "the walk stops at the first that does not fit", budget: 40, roles: "uauau",
            tokens: [1, 1, 50, 10, 10],
            sent: [note, "m4", "m5"], refine: [1, 2, 3], promptTokens: 28),
        Case(
            name: "a summary is not used while everything fits", budget: 100, roles: "uau", tokens: [10, 10, 10],
            summary: summary(through: 2, tokens: 5), sent: ["m1", "m2", "m3"], promptTokens: 33),
        Case(
            name: "a summary stands for what was dropped", budget: 38, roles: "uauau", tokens: [10, 10, 10, 10, 10],
            summary: summary(through: 2, tokens: 5), sent: ["summary", "m3", "m4", "m5"], promptTokens: 38),
        Case(
            name: "a summary stands for a part of what was dropped", budget: 28, roles: "uauau",
            tokens: [10, 10, 10, 10, 10],
            summary: summary(through: 2, tokens: 5), sent: ["summary", "m4", "m5"], refine: [3], promptTokens: 28),
        Case(
            name: "a summary may reach into what is sent", budget: 48, roles: "uauau", tokens: [10, 10, 10, 10, 10],
            summary: summary(through: 4, tokens: 5), sent: ["summary", "m2", "m3", "m4", "m5"], promptTokens: 48),
        Case(
            name: "a summary before the loaded thread always goes in", budget: 100, roles: "uau", tokens: [10, 10, 10],
            summary: summary(through: 99, tokens: 5), sent: ["summary", "m1", "m2", "m3"], promptTokens: 38),
        Case(
            name: "a summary too large gives way to the note", budget: 40, roles: "uauau",
            tokens: [10, 10, 10, 10, 10],
            summary: summary(through: 4, tokens: 28), sent: [note, "m3", "m4", "m5"], refine: [1, 2], promptTokens: 38),
        Case(
            name: "a summary may cost turns but not the newest", budget: 40, roles: "uauau",
            tokens: [10, 10, 10, 10, 10],
            summary: summary(through: 4, tokens: 27), sent: ["summary", "m5"], promptTokens: 40),
        Case(
            name: "a tool result never comes first", budget: 48, roles: "ucta" + "u", tokens: [10, 10, 10, 10, 10],
            sent: [note, "m4", "m5"], refine: [1, 2, 3], promptTokens: 28),
        Case(
            name: "nor do several, nor calls", budget: 58, roles: "ucttau", tokens: [10, 10, 10, 10, 10, 10],
            sent: [note, "m5", "m6"], refine: [1, 2, 3, 4], promptTokens: 28),
        Case(
            name: "calls at the root are whole", budget: 100, roles: "ctau", tokens: [10, 10, 10, 10],
            sent: ["m1", "m2", "m3", "m4"], promptTokens: 43),
        Case(
            name: "calls after a summary are cut", budget: 100, roles: "ctau", tokens: [10, 10, 10, 10],
            summary: summary(through: 99, tokens: 5), sent: ["summary", "m3", "m4"], refine: [1, 2], promptTokens: 28),
        Case(
            name: "what follows the newest user message stays with it", budget: 33, roles: "uauct",
            tokens: [10, 10, 10, 10, 10],
            sent: ["m3", "m4", "m5"], refine: [1, 2], promptTokens: 33),
        Case(
            name: "a partial reply to continue stays", budget: 28, roles: "uaua", tokens: [10, 10, 10, 10],
            sent: [note, "m3", "m4"],
            refine: [1, 2], promptTokens: 28),
        Case(
            name: "no user at all keeps the last", budget: 13, roles: "aa", tokens: [10, 10], sent: ["m2"], refine: [1],
            promptTokens: 13),
        Case(
            name: "no messages", budget: 13, roles: "", tokens: [], instructions: 10, sent: ["instructions"],
            promptTokens: 13),
    ]

    @Test(arguments: cases)
    func `the newest turns that fit are sent`(_ example: Case) throws {
        let plan = try Self.plan(
            budget: example.budget, example.roles, example.tokens, instructions: example.instructions,
            summary: example.summary)
        #expect(plan.messages.map(\.content) == example.sent)
        #expect(plan.promptTokens == example.promptTokens)
        #expect(plan.promptTokens <= example.budget)
        #expect(plan.messagesToRefine.map(\.low) == example.refine)
        #expect(plan.tokensPerMessage.reduce(3, +) == plan.promptTokens)
        #expect(plan.tokensPerMessage.count == plan.messages.count)
        #expect(
            (plan.droppedMessageIDs + plan.includedMessageIDs).map(\.low)
                == (1...).prefix(example.roles.count).map { UInt64($0) })
        #expect((plan.summarizedThroughMessageID != nil) == example.sent.contains("summary"))
        #expect(plan.contextLimit == example.budget + 100)
        #expect(plan.remainingTokens == plan.contextLimit - plan.promptTokens)
    }

    @Test func `instructions over the budget are an error that says both numbers`() {
        let error = #expect(throws: ContextError.self) { try Self.plan(budget: 50, "u", [1], instructions: 51) }
        #expect(error?.part == .instructions)
        #expect(error?.requiredTokens == 51)
        #expect(error?.availableTokens == 50)
        #expect(error?.message.contains("51") == true && error?.message.contains("50") == true)
        #expect(error?.failure.code == .contextLength)
        #expect(error?.failure.isRetryable == false)
    }

    @Test(
        arguments: [
            (12, "u", [10], nil, 9), (20, "u", [10], 8, 9), (32, "uct", [10, 10, 10], nil, 29), (0, "u", [10], nil, 0),
            (-50, "u", [10], nil, 0), (8, "u", [10], 8, 0),
        ] as [(Int, String, [Int], Int?, Int)])
    func `a newest message that does not fit is an error`(
        budget: Int, roles: String, tokens: [Int], instructions: Int?, available: Int
    ) {
        let error = #expect(throws: ContextError.self) {
            try Self.plan(budget: budget, roles, tokens, instructions: instructions)
        }
        #expect(error?.part == .newestMessage)
        #expect(error?.requiredTokens == tokens.reduce(0, +))
        #expect(error?.availableTokens == available)
    }

    @Test(
        arguments: [
            (128_000, nil, nil, 128_000, 4096), (8_192, nil, nil, 8_192, 2_048), (8_192, nil, 1_000, 8_192, 1_000),
            (128_000, 8_000, nil, 8_000, 2_000), (8_000, 128_000, nil, 8_000, 2_000), (8_000, 0, nil, 8_000, 2_000),
            (16_384, nil, nil, 16_384, 4_096), (8_192, nil, 8_192, 8_192, 8_192),
        ] as [(Int, Int?, Int?, Int, Int)])
    func `window and reserve follow from model, person and output limit`(
        model: Int, personal: Int?, output: Int?, window: Int, reserve: Int
    ) {
        let budget = ContextBudget(modelLimitTokens: model, personalLimitTokens: personal, maxOutputTokens: output)
        #expect(budget.windowTokens == window)
        #expect(budget.reservedTokens == reserve)
        #expect(budget.promptTokens == window - reserve)
    }

    @Test func `a thread over sixty percent of the budget wants a summary`() {
        let budget = ContextBudget(modelLimitTokens: 1_100, maxOutputTokens: 100)
        #expect(!budget.shouldSummarize(threadTokens: 600))
        #expect(budget.shouldSummarize(threadTokens: 601))
    }

    @Test func `no plan exceeds its budget or loses its newest user message`() throws {
        var state: UInt64 = 42
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for _ in 0..<2_000 {
            let roles = String((0..<(1 + next(8))).map { _ in Array("uactu")[next(5)] }) + "u"
            let tokens = roles.map { _ in 1 + next(30) }
            let budget = next(200)
            let summary = next(2) == 0 ? nil : Self.summary(through: UInt64(next(12)), tokens: 1 + next(40))
            do throws(ContextError) {
                let plan = try Self.plan(
                    budget: budget, roles, tokens, instructions: next(2) == 0 ? nil : next(20), summary: summary)
                #expect(plan.promptTokens <= budget)
                #expect(plan.messages.last?.role == .user)
                #expect(plan.droppedMessageIDs.count + plan.includedMessageIDs.count == roles.count)
                let first = plan.messages.first { $0.role != .system }
                #expect(plan.droppedMessageIDs.isEmpty || first?.role != .tool && first?.toolCalls.isEmpty == true)
            } catch {
                #expect(error.requiredTokens > error.availableTokens)
            }
        }
    }

    @Test func `a plan is stored as figures without texts`() throws {
        let plan = try Self.plan(budget: 32, "uau", [10, 10, 10])
        var writer = JSONWriter()
        plan.write(to: &writer)
        let expected =
            #"{"promptTokens":28,"contextLimit":132,"reservedTokens":100,"remainingTokens":104,"tokensPerMessage":[5,10,10],"#
            + #""includedCount":2,"droppedCount":1,"droppedFrom":"00000000-0000-0000-0000-000000000001","#
            + #""droppedThrough":"00000000-0000-0000-0000-000000000001"}"#
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
        #expect(plan.estimatedUsage() == Usage(promptTokens: 28, contextLimit: 132, isEstimated: true))
    }
}
