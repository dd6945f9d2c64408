// SPDX-License-Identifier: Apache-2.0

/// Something that is measured, bounded in count and time.
protocol Scenario: Sendable {
    /// As the command line names it.
    var name: String { get }
    /// One line for the list.
    var summary: String { get }
    /// How often it runs for one result, each time from nothing: figures are medians.
    var rounds: Int { get }
    func run(_ options: BenchmarkOptions) async throws -> [Figure]
}

extension Scenario {
    var rounds: Int { 1 }
}

enum Scenarios {
    /// In the order in which `ops/bench all` runs them.
    static let all: [any Scenario] = [
        FirstTokenScenario(), TokenDelayScenario(), StreamCapacityScenario(), FiveHundredStreamsScenario(),
        CostScenario(), PickupScenario(), StarvationScenario(), BurnDownScenario(), EnqueueScenario(),
        RecoveryScenario(),
        IdleViewersScenario(), MemoryScenario(), HeldTransactionScenario(), SoakScenario(), InstructionsScenario(),
        BuildScenario(),
    ]
}
