// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What an enqueue came to.
package struct Enqueued: Sendable, Hashable {
    /// Lanes with new work.
    package var wake: Set<Lane>
    /// The job that stands for each of those given, in their order: itself, or the unfinished one that has its unique
    /// key.
    package var standing: [JobID]

    /// See the properties.
    package init(wake: Set<Lane>, standing: [JobID]) {
        self.wake = wake
        self.standing = standing
    }
}
