// SPDX-License-Identifier: Apache-2.0
import Runtime

/// Opens once; whoever waits goes on.
final class Gate: Sendable {
    private let signal = ShutdownSignal()
    func open() { signal.trigger() }
    func wait() async { await signal.wait() }
}

extension Result {
    /// The error, when there is one.
    var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
