// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What is seen of a worker from outside.
package struct ObservedWorker: Sendable, Hashable {
    /// The process.
    package let id: WorkerID
    /// Rises while all is well with it; -1 for one that holds leases but has no row.
    package let beat: Int64
    /// Whether its session is open, by the lock that it holds.
    package let isLocked: Bool

    /// See the properties.
    package init(id: WorkerID, beat: Int64, isLocked: Bool) {
        self.id = id
        self.beat = beat
        self.isLocked = isLocked
    }
}
