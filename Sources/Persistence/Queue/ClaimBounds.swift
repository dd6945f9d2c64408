// SPDX-License-Identifier: Apache-2.0
import Jobs

/// The jobs of one lane behind one gate: what a claim walks in the order of their tags.
struct Line: Hashable, Sendable {
    let lane: Int16
    let gate: Int16
}

/// The tag at which a claim begins to look in each line, behind what was claimed before.
struct ClaimBounds: Hashable, Sendable {
    /// What is known; a line that is not in it is looked at from its beginning.
    var fronts: [Line: Int64]

    /// The bound of a line.
    func front(_ lane: Lane, gate: Int16) -> Int64 {
        fronts[Line(lane: lane.rawValue, gate: gate)] ?? .min
    }
}
