// SPDX-License-Identifier: Apache-2.0

/// How many jobs a claim may take: never more than the free slots.
package struct ClaimLimit: Sendable, Hashable {
    /// Of all lanes together.
    package var total: Int
    /// Of the lanes below chat: the rest of the slots is kept for chat.
    package var background: Int
    /// What else may be taken than the jobs of gate 0; a gate that is not named is not looked at.
    package let gates: [GateAllowance]

    /// Negative numbers count as 0. Of a gate that is named twice the smaller allowance holds; gate 0 needs none.
    package init(total: Int, background: Int, gates: [GateAllowance] = []) {
        self.total = max(0, total)
        self.background = max(0, min(background, total))
        var least: [Int16: Int] = [:]
        for allowance in gates where allowance.gate != GateAllowance.open {
            least[allowance.gate] = min(least[allowance.gate] ?? .max, max(0, allowance.atMost))
        }
        self.gates = least.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { GateAllowance(gate: $0.key, atMost: $0.value) }
    }

    /// What is left when jobs were taken.
    package func without(_ taken: [ClaimedJob]) -> ClaimLimit {
        ClaimLimit(
            total: total - taken.count, background: background - taken.count { $0.lane != .chat },
            gates: gates.map { allowance in
                GateAllowance(
                    gate: allowance.gate, atMost: allowance.atMost - taken.count { $0.gate == allowance.gate })
            })
    }
}

/// How many jobs of one gate a claim may take. A gate is a provider with limits of its own, by a small number.
package struct GateAllowance: Sendable, Hashable {
    /// The gate of jobs that no limited provider runs: always open.
    package static let open: Int16 = 0

    /// The stored number, never ``open``.
    package let gate: Int16
    /// Of all lanes together; what the provider's limits have room for.
    package let atMost: Int

    /// See the properties.
    package init(gate: Int16, atMost: Int) {
        self.gate = gate
        self.atMost = atMost
    }
}
