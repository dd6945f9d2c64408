// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What the interface shows of a job (`J`).
package struct JobRecord: Sendable {
    /// The same id that the enqueue was given.
    package var id: JobID
    /// Also one that this version does not know: older records stay readable.
    package var kind: JobKind
    /// Which line it waits or waited in.
    package var lane: Lane
    /// As of the read; a running job may end right after it.
    package var state: JobState
    /// The owner, to whom alone the record is shown.
    package var userID: UserID
    /// The run that is under way or was last, from 1; 0 while the job waits for its first.
    package var attempt: Int16
    /// Attempts after which a failure is final.
    package var maximumAttempts: Int16
    /// Higher goes first within the lane, -100...100.
    package var priority: Int16
    /// When it was enqueued, by the database's clock.
    package var createdAt: Timestamp
    /// Not before this time; while a retry waits, when it is due.
    package var runAt: Timestamp
    /// When the present or last run was claimed; nil before the first.
    package var startedAt: Timestamp?
    /// When it ended; nil until then.
    package var finishedAt: Timestamp?
    /// JSON.
    package var result: [UInt8]?
    /// A machine word of ``ErrorCode`` for a job that failed; nil otherwise.
    package var errorCode: String?
    /// Words for a person that go with the code; without data of the user.
    package var errorMessage: String?
    /// The greatest lease the job had; 0 before any.
    package var lease: Int64

    /// See the properties.
    package init(
        id: JobID, kind: JobKind, lane: Lane, state: JobState, userID: UserID, attempt: Int16,
        maximumAttempts: Int16, priority: Int16, createdAt: Timestamp, runAt: Timestamp, startedAt: Timestamp?,
        finishedAt: Timestamp?, result: [UInt8]?, errorCode: String?, errorMessage: String?, lease: Int64
    ) {
        self.id = id
        self.kind = kind
        self.lane = lane
        self.state = state
        self.userID = userID
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.priority = priority
        self.createdAt = createdAt
        self.runAt = runAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.result = result
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.lease = lease
    }
}
