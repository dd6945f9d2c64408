// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Where a worker gets its jobs: a queue, or something before it that chooses among them.
package protocol JobSource: Sendable {
    /// Takes jobs for free slots, best first, each under a new lease; never more than asked for.
    func claim(_ limit: ClaimLimit, worker: WorkerID) async throws(JobQueueError) -> [ClaimedJob]

    /// Returns when every claim made before can no longer be taken back by a crash. Until then a run shows nothing: after
    /// such a crash another one would begin without taking back what it showed.
    func persist() async throws(JobQueueError)
}
