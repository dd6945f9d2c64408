// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What the interface shows of a job (`J`).
package struct JobRecord: Sendable {
    package var id: JobID
    package var kind: JobKind
    package var lane: Lane
    package var state: JobState
    package var userID: UserID
    package var attempt: Int16
    package var maximumAttempts: Int16
    package var priority: Int16
    package var createdAt: Timestamp
    package var runAt: Timestamp
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp?
    /// JSON.
    package var result: [UInt8]?
    package var errorCode: String?
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
