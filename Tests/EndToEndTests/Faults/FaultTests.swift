// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import TestSupport
import Testing

/// `SWITCHYARD_FAULT_SEED` repeats a schedule, `SWITCHYARD_FAULT_SOAK_MINUTES` goes on with fresh ones.
enum FaultSettings {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    static let seed = number("SWITCHYARD_FAULT_SEED")
    static let soakMinutes = number("SWITCHYARD_FAULT_SOAK_MINUTES")
    static func freshSeed() -> UInt64 { UInt64.random(in: 1...999_999_999) }
}

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1)), .enabled(if: FaultSettings.soakMinutes == nil)) struct FaultTests {
        @Test func `whatever happens in whatever order, no invariant is broken`() async {
            await run(FaultPlan(seed: FaultSettings.seed ?? FaultSettings.freshSeed(), size: .short))
        }
    }
}

/// Seed after seed for a given time. Outside the other tests, for it outlasts their limits.
@Suite(.serialized, .enabled(if: TestCluster.url != nil && FaultSettings.soakMinutes != nil)) struct FaultSoak {
    @Test func `no schedule of a soak breaks an invariant`() async {
        let deadline = ContinuousClock.now + .seconds(Int64(FaultSettings.soakMinutes ?? 0) * 60)
        var count = 0
        repeat {
            await run(FaultPlan(seed: FaultSettings.seed ?? FaultSettings.freshSeed(), size: .long))
            count += 1
        } while ContinuousClock.now < deadline
        print("fault soak: \(count) schedules carried out")
    }
}

private func run(_ plan: FaultPlan) async {
    let began = ContinuousClock.now
    print("fault seed: \(plan.seed)")
    let violations: [String]
    do { violations = try await FaultRun.violations(of: plan) } catch { violations = ["not carried out: \(error)"] }
    print("fault seed \(plan.seed): \(violations.count) violations, \(began.duration(to: .now))")
    #expect(violations == [], "SWITCHYARD_FAULT_SEED=\(plan.seed) repeats it\n\(plan)")
}
