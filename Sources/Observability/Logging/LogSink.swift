// SPDX-License-Identifier: Apache-2.0

/// Where finished lines go. Called from any thread, also from an event loop's, so it must not block.
package protocol LogSink: Sendable {
    /// Takes one line, its final newline included. A sink that cannot keep up drops lines and counts them.
    func write(_ line: [UInt8])
}
