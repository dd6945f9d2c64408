// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct UsageTests {
    @Test(
        arguments: [
            (10, nil, nil, 100, 10, 90), (10, 5, nil, 100, 15, 85), (10, 5, 15, 100, 15, 85), (10, 5, 40, 100, 40, 85),
            (90, 20, nil, 100, 110, 0), (0, 0, nil, 0, 0, 0), (10, 0, 10, 100, 10, 90),
        ] as [(Int, Int?, Int?, Int, Int, Int)])
    func `total and remaining follow from the parts`(
        prompt: Int, completion: Int?, total: Int?, limit: Int, expectedTotal: Int, remaining: Int
    ) throws {
        let usage = Usage(
            promptTokens: prompt, completionTokens: completion, totalTokens: total, contextLimit: limit,
            isEstimated: true)
        #expect(usage.totalTokens == expectedTotal)
        #expect(usage.contextRemaining == remaining)
        var writer = JSONWriter()
        writer.object { usage.writeFields(to: &$0) }
        #expect(try Usage(JSONParser.parse(writer.bytes)) == usage)
    }

    static let reports: [([ReportedUsage], Usage)] = [
        ([], Usage(promptTokens: 7, completionTokens: 3, contextLimit: 100, isEstimated: true)),
        (
            [ReportedUsage(promptTokens: 9, completionTokens: 4, totalTokens: 13)],
            Usage(promptTokens: 9, completionTokens: 4, contextLimit: 100, isEstimated: false)
        ),
        (
            [ReportedUsage(promptTokens: 9, completionTokens: 4, totalTokens: 20)],
            Usage(promptTokens: 9, completionTokens: 4, totalTokens: 20, contextLimit: 100, isEstimated: false)
        ),
        // Anthropic: the prompt first, the cumulative reply later.
        (
            [ReportedUsage(promptTokens: 25, completionTokens: 1), ReportedUsage(completionTokens: 15)],
            Usage(promptTokens: 25, completionTokens: 15, contextLimit: 100, isEstimated: false)
        ),
        // Google: everything in every chunk, the last holds.
        (
            [
                ReportedUsage(promptTokens: 4, totalTokens: 4),
                ReportedUsage(promptTokens: 4, completionTokens: 2, totalTokens: 6),
            ],
            Usage(promptTokens: 4, completionTokens: 2, contextLimit: 100, isEstimated: false)
        ),
        // A total from before the reply is stale.
        (
            [ReportedUsage(promptTokens: 4, totalTokens: 4), ReportedUsage(completionTokens: 2)],
            Usage(promptTokens: 4, completionTokens: 2, contextLimit: 100, isEstimated: false)
        ),
        // Cut before the final figures: the reply is counted by us.
        (
            [ReportedUsage(promptTokens: 25)],
            Usage(promptTokens: 25, completionTokens: 3, contextLimit: 100, isEstimated: true)
        ),
        // Zeros are no report when there was text.
        (
            [ReportedUsage(promptTokens: 0, completionTokens: 0, totalTokens: 0)],
            Usage(promptTokens: 7, completionTokens: 3, contextLimit: 100, isEstimated: true)
        ),
    ]

    @Test(arguments: reports)
    func `the provider's figures hold, and ours stand in for what is missing`(reports: [ReportedUsage], expected: Usage)
    {
        var merged = ReportedUsage()
        for report in reports { merged.merge(report) }
        #expect(
            Usage(reported: merged, countedPromptTokens: 7, countedCompletionTokens: 3, contextLimit: 100) == expected)
    }

    @Test func `an empty reply may truly have no tokens`() {
        let usage = Usage(
            reported: ReportedUsage(promptTokens: 5, completionTokens: 0), countedPromptTokens: 7,
            countedCompletionTokens: 0,
            contextLimit: 100)
        #expect(usage == Usage(promptTokens: 5, completionTokens: 0, contextLimit: 100, isEstimated: false))
    }

    @Test func `two calls of one turn add up, and one estimate taints the sum`() {
        let first = Usage(promptTokens: 10, contextLimit: 50, isEstimated: true)
        let second = Usage(
            promptTokens: 12, completionTokens: 4, totalTokens: 20, contextLimit: 100, isEstimated: false)
        #expect(
            first.adding(second)
                == Usage(promptTokens: 22, completionTokens: 4, totalTokens: 30, contextLimit: 100, isEstimated: true))
    }
}
