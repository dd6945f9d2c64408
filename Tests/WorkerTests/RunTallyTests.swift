// SPDX-License-Identifier: Apache-2.0
import Jobs
import Persistence
import Testing

@testable import Worker

struct RunTallyTests {
    private let start = ContinuousClock.now

    private func counts(_ tally: RunTally, atSecond second: Int) -> [[Int]] {
        tally.recent(at: start + .seconds(second)).sorted { $0.lane.rawValue < $1.lane.rawValue }
            .map { [$0.completed, $0.failed] }
    }

    @Test func `completions and failures are told by kind and lane, other ends are not`() {
        let tally = RunTally()
        for end in JobState.allCases { tally.ended(.noop, .embedding, as: end) }
        tally.ended(.noop, .embedding, as: .completed)
        tally.ended(.chat, .chat, as: .failed)
        #expect(
            Set(tally.recent(at: start)) == [
                RecentRuns(kind: .noop, lane: .embedding, completed: 2, failed: 1),
                RecentRuns(kind: .chat, lane: .chat, completed: 0, failed: 1),
            ])
    }

    @Test func `what is older than the window is not recent any more`() {
        let tally = RunTally()
        #expect(counts(tally, atSecond: 0) == [])
        tally.ended(.noop, .chat, as: .completed)
        for second in stride(from: 1, through: 290, by: 1) { #expect(counts(tally, atSecond: second) == [[1, 0]]) }
        tally.ended(.noop, .chat, as: .failed)
        // The window is measured against an entry of the history, so it may be an interval longer.
        #expect(counts(tally, atSecond: 295) == [[1, 1]])
        #expect(counts(tally, atSecond: 330) == [[0, 1]])
        #expect(counts(tally, atSecond: 1000) == [])
    }

    @Test func `kinds beyond those that fit a beat are left out`() {
        let tally = RunTally()
        for number in 0..<(RecentRuns.maximumCount + 10) {
            tally.ended(JobKind(rawValue: "k\(number)"), .embedding, as: .completed)
        }
        tally.ended(JobKind(rawValue: "k0"), .embedding, as: .completed)
        let recent = tally.recent(at: start)
        #expect(recent.count == RecentRuns.maximumCount)
        #expect(recent.first { $0.kind.rawValue == "k0" }?.completed == 2)
    }
}
