// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// How many jobs are being submitted at the moment by this process.
final class SubmissionLoad: Sendable {
    private let count = Atomic<Int>(0)

    /// - Returns: whether no other was under way.
    func begin() -> Bool { count.wrappingAdd(1, ordering: .relaxed).oldValue == 0 }

    func end() { count.wrappingSubtract(1, ordering: .relaxed) }
}
