// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Writes each line to standard error with one `write(2)`, from a thread of its own.
///
/// Why a thread: standard error is often a pipe, and a `write` to a pipe whose reader stalls blocks for as
/// long as it likes. On the cooperative pool or an event loop that would stop every request of the process.
/// So `write(_:)` only appends to a bounded queue under a short lock and, when the writer is idle, wakes it.
///
/// When full (8 192 lines or 4 MiB): new lines are dropped and counted (`log_lines_dropped_total`), and once
/// there is room again one line says how many are missing. Lines are never reordered.
/// At exit: the composition root calls `flush(timeout:)` last; a trap loses at most the lines still queued,
/// usually none. Releasing the sink stops its thread after what was queued has been written.
package final class StandardErrorSink: LogSink {
    private let writer: LogWriter

    /// Starts the writer. `descriptor` is not closed by the sink. When no thread can be started (a limit on
    /// processes), lines are written by their callers instead, which may then block.
    package init(descriptor: Int32 = STDERR_FILENO, metrics: MetricsRegistry? = nil) {
        let dropped = metrics?.counter("log_lines_dropped_total", help: "Log lines lost because the queue was full.")
        writer = LogWriter(descriptor: descriptor, maximumLines: 8192, maximumBytes: 4 << 20, dropped: dropped)
        writer.start()
    }

    init(descriptor: Int32, maximumLines: Int, maximumBytes: Int) {
        writer = LogWriter(
            descriptor: descriptor, maximumLines: maximumLines, maximumBytes: maximumBytes, dropped: nil)
        writer.start()
    }

    deinit { writer.stop() }

    /// How many lines found the queue full or could not be written.
    package var droppedLines: Int { writer.droppedLines }

    /// Queues the line; never blocks on I/O.
    package func write(_ line: [UInt8]) { writer.enqueue(line) }

    /// Waits until everything queued before the call is written. Blocks the calling thread: only for the end of
    /// the process and for tests. `false` when `timeout` (at most some minutes) ended first.
    @discardableResult
    package func flush(timeout: Duration = .seconds(2)) -> Bool { writer.flush(timeout: timeout) }
}
