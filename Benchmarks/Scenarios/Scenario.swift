// SPDX-License-Identifier: Apache-2.0

/// Something that is measured, bounded in count and time.
protocol Scenario: Sendable {
    /// As the command line names it.
    var name: String { get }
    /// One line for the list.
    var summary: String { get }
    func run(_ options: BenchmarkOptions) async throws -> [Figure]
}

enum Scenarios {
    static let all: [any Scenario] = [
        FirstTokenScenario(), TokenDelayScenario(), PickupScenario(), BurnDownScenario(), RecoveryScenario(),
    ]
}
