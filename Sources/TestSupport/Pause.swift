// SPDX-License-Identifier: Apache-2.0

/// The pause of a client between two attempts, and the time between two steps of a schedule. What is waited for is
/// always looked at; the pause only keeps the looking from taking the machine.
package enum Pause {
    /// Between two looks.
    package static func short() async { await until(.now + .milliseconds(20)) }

    /// Until a moment; shorter when the task is cancelled.
    package static func until(_ moment: ContinuousClock.Instant) async {
        do { try await ContinuousClock().sleep(until: moment) } catch { return }
    }
}
