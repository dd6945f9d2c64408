// SPDX-License-Identifier: Apache-2.0
import Chat
import Observability

/// How fast runs give output, gathered from flush to flush.
struct OutputPace: Sendable {
    /// What is known of one run.
    struct Mark: Sendable {
        fileprivate var last: Timestamp
        fileprivate var hadOutput = false

        /// A run that begins.
        init(at now: Timestamp) { last = now }
    }

    /// From the start of a run to its first output.
    private(set) var firsts = HistogramBatch()
    /// From one piece of output to the next.
    private(set) var gaps = HistogramBatch()

    /// A run has given a piece.
    mutating func output(of mark: inout Mark, at now: Timestamp) {
        let waited = mark.last.duration(to: now)
        if mark.hadOutput { gaps.observe(waited) } else { firsts.observe(waited) }
        mark.last = now
        mark.hadOutput = true
    }

    /// Everything gathered, which is begun anew.
    mutating func take() -> OutputPace {
        var taken = OutputPace()
        if !firsts.isEmpty { taken.firsts = firsts.take() }
        if !gaps.isEmpty { taken.gaps = gaps.take() }
        return taken
    }
}
