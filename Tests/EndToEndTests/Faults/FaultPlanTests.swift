// SPDX-License-Identifier: Apache-2.0
import Testing

struct FaultPlanTests {
    @Test(arguments: [UInt64(1), 7, .max])
    func `a seed gives the same schedule for ever and another gives another`(seed: UInt64) {
        let plan = FaultPlan(seed: seed, size: .short)
        #expect(plan == FaultPlan(seed: seed, size: .short))
        #expect(plan.description == FaultPlan(seed: seed, size: .short).description)
        #expect(plan.moments != FaultPlan(seed: seed &+ 1, size: .short).moments)
    }

    @Test(arguments: 1...50)
    func `a schedule is in order of time and has what it was asked for`(seed: UInt64) {
        for size in [FaultPlan.Size.short, .long] {
            let plan = FaultPlan(seed: seed, size: size)
            let times = plan.moments.map(\.atMilliseconds)
            #expect(times == times.sorted())
            #expect(times.allSatisfy { (0..<size.milliseconds).contains($0) })
            #expect(plan.moments.count == size.turnCount + size.faultCount)
            #expect(plan.turns.map(\.number).sorted() == Array(0..<size.turnCount))
            #expect(plan.moments.count { $0.step == .crashDatabase } <= 1 + size.milliseconds / 20_000)
        }
    }

    @Test func `seeds together bring every kind of step`() {
        let steps = (0..<50).flatMap { FaultPlan(seed: $0, size: .long).moments.map(\.step) }
        let kinds = Set(steps.map { "\($0)".prefix { $0.isLetter } })
        #expect(
            kinds == [
                "turn", "stop", "killWorker", "killAPI", "endWorker", "suspendWorker", "suspendAPI", "endConnection",
                "crashDatabase",
            ])
        #expect(steps.contains { if case .suspendWorker(_, let pause) = $0 { pause > 15_000 } else { false } })
    }

    /// A schedule that is printed has to mean the same tomorrow: this one is written down.
    @Test func `a known seed gives the known beginning`() {
        let turn = FaultPlan(seed: 1, size: .short).turns.first { $0.number == 0 }
        #expect(
            turn.map { "\($0.conversation) \($0.api) \($0.tokens) \($0.betweenTokensMicroseconds)" } == "3 1 93 9165")
    }
}
