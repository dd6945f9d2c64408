// SPDX-License-Identifier: Apache-2.0
package import Chat

/// A job that this process runs, as the claim returned it.
package struct ClaimedJob: Sendable {
    /// The fence of every write for it.
    package let lease: Lease
    /// Names the handler; a worker that does not know it fails the job.
    package let kind: JobKind
    /// Lanes below chat count against the slots that chat does not reserve.
    package let lane: Lane
    /// Whose allowance it used; 0 is nobody's.
    package let gate: Int16
    /// Whose data the handler may read: every look-up of the run is bound to it.
    package let userID: UserID
    /// Locked at the end of the run, which puts the next job of the key in line; nil stands alone.
    package let serialKey: SerialKey?
    /// JSON of the kind's own shape.
    package let payload: [UInt8]
    /// This run's number, from 1; a parked or handed-over run keeps its own.
    package let attempt: Int16
    /// Attempts after which a failure is final; waits for a rate limit are not counted.
    package let maximumAttempts: Int16
    /// Runs that ended with their worker.
    package let crashes: Int16
    /// Whether an earlier lease may have shown output that this one has to take back.
    package let needsRestart: Bool
    /// How long the run may take.
    package let runLimit: Duration
    /// When it was enqueued, or became due if that was later; `nil` where the queue does not say.
    package let waitingSince: Timestamp?
    /// Whether no worker ever had it.
    package let isFirstClaim: Bool
    /// What came along with the claim; nothing is as good, only slower.
    package var attachment: (any ClaimAttachment)?

    /// See the properties.
    package init(
        lease: Lease, kind: JobKind, lane: Lane, gate: Int16 = 0, userID: UserID, serialKey: SerialKey?,
        payload: [UInt8],
        attempt: Int16, maximumAttempts: Int16, crashes: Int16, needsRestart: Bool, runLimit: Duration,
        waitingSince: Timestamp? = nil, isFirstClaim: Bool = false
    ) {
        self.lease = lease
        self.kind = kind
        self.lane = lane
        self.gate = gate
        self.userID = userID
        self.serialKey = serialKey
        self.payload = payload
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.crashes = crashes
        self.needsRestart = needsRestart
        self.runLimit = runLimit
        self.waitingSince = waitingSince
        self.isFirstClaim = isFirstClaim
    }
}

/// What a queue read along with a claim because the run asks for it first: for the handler that knows the type.
package protocol ClaimAttachment: Sendable {}
