// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What became of a wish to try a job again.
package enum Retrial: Sendable, Hashable {
    /// It is in line again, or behind its serial key. Wake the lanes, and announce what stands in the log now.
    case linedUp(wake: Set<Lane>, events: [StampedEvent] = [])
    /// It has not ended, or another wish was first: nothing to do.
    case alreadyUnfinished
    /// It was completed.
    case completed
    /// Another unfinished job has its unique key.
    case replaced(by: JobID)
    /// There is no such job of this owner.
    case notFound
}

/// One thing that went wrong with a job.
package struct JobErrorRecord: Sendable, Hashable {
    /// The run that it ended, or the number that an end from outside took.
    package let lease: Int64
    /// By the database's clock.
    package let at: Timestamp
    /// The attempt that was spent or given back.
    package let attempt: Int16
    /// A machine word.
    package let code: String
    /// The provider's words without keys, or ours; for the owner and for administrators.
    package let message: String

    /// See the properties.
    package init(lease: Int64, at: Timestamp, attempt: Int16, code: String, message: String) {
        self.lease = lease
        self.at = at
        self.attempt = attempt
        self.code = code
        self.message = message
    }
}
