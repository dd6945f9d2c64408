// SPDX-License-Identifier: Apache-2.0
package import Jobs
package import Persistence

/// Ends runs in the database, with what they change elsewhere in the same transaction.
package protocol RunSettler: Sendable {
    /// Repeating after ``JobQueueError/unavailable`` is safe: an end that was committed is found so.
    func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect
    ) async throws(JobQueueError) -> Settlement

    /// Fails a run whose own end the database does not take, with what the log has of it. A lease that is gone is
    /// nothing to do.
    func abandon(_ job: ClaimedJob, _ failure: JobFailure) async throws(JobQueueError) -> Rescue
}

/// Also ends many runs at once.
package protocol BatchSettler: RunSettler {
    /// What became of each, in the order given; each is fenced by itself.
    func complete(_ runs: [CompletedRun]) async throws(JobQueueError) -> [Settlement]
}
