// SPDX-License-Identifier: Apache-2.0

/// A part of the process that runs as long as the process does.
package protocol Service: Sendable {
    /// For the log.
    var name: String { get }

    /// Runs until `shutdown` is triggered, then finishes in order; ends at once when cancelled.
    ///
    /// Returning or throwing before that shuts the whole group down.
    func run(_ shutdown: ShutdownSignal) async throws
}
