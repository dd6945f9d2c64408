// SPDX-License-Identifier: Apache-2.0

/// What several runs of a scenario come to.
enum Rounds {
    /// Each figure's median over the rounds, with its least and greatest value. Even numbers of rounds take the better
    /// one of neither: the lower of the two in the middle.
    static func combine(_ rounds: [[Figure]]) -> [Figure] {
        guard let first = rounds.first, rounds.count > 1 else { return rounds.first ?? [] }
        return first.map { figure in
            let values = rounds.compactMap { round in round.first { $0.name == figure.name }?.value }.sorted()
            var combined = figure
            combined.value = values[(values.count - 1) / 2]
            if let least = values.first, let greatest = values.last { combined.spread = least...greatest }
            return combined
        }
    }
}
