// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Keeps lines for a test to look at. Holds at most `capacity` lines; further ones are counted, not kept.
package final class InMemoryLogSink: LogSink {
    private struct State {
        var lines: [String] = []
        var droppedLines = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// An empty sink for at most `capacity` lines.
    package init(capacity: Int = 10_000) { self.capacity = capacity }

    /// The lines so far in order of arrival, each a JSON object without its newline.
    package var lines: [String] { state.withLock { $0.lines } }

    /// How many lines found the sink full.
    package var droppedLines: Int { state.withLock { $0.droppedLines } }

    /// Keeps the line when there is room.
    package func write(_ line: [UInt8]) {
        let text = String(decoding: line.last == UInt8(ascii: "\n") ? line.dropLast() : line[...], as: UTF8.self)
        state.withLock { state in
            if state.lines.count < capacity { state.lines.append(text) } else { state.droppedLines += 1 }
        }
    }
}
