// SPDX-License-Identifier: Apache-2.0
package import Chat

/// A job to be enqueued. Repeating an enqueue with the same id changes nothing, so an ambiguous commit is repeated.
package struct NewJob: Sendable {
    /// UUIDv7, chosen by the caller before the first try.
    package var id: JobID
    /// Names the handler.
    package var kind: JobKind
    /// Decides which slots may take it.
    package var lane: Lane
    /// The number of the limited provider that runs it; 0 has no limits. Claimed only as far as a claim allows.
    package var gate: Int16 = 0
    /// Its owner, and the tenant that it is counted for.
    package var userID: UserID
    /// Jobs with the same key run one at a time in the order of their enqueues.
    package var serialKey: SerialKey?
    /// Of jobs of one owner and kind with the same key at most one is unfinished; 1 to 500 characters.
    package var uniqueKey: String?
    /// JSON of the kind's own shape.
    package var payload: [UInt8]
    /// Higher goes first within a lane: a step is worth a minute of waiting in a line that is worked off now and then, and
    /// all of it in one that never is. Within -100...100.
    package var priority: Int16 = 0
    /// Runs that may fail before the job does.
    package var maximumAttempts: Int16 = 5
    /// Not before this time; `nil` is at once.
    package var runAt: Timestamp?
    /// How long one run may take in all before the queue takes its lease.
    package var runLimit: Duration = .seconds(900)

    /// The rest has defaults.
    package init(
        id: JobID, kind: JobKind, lane: Lane, userID: UserID, serialKey: SerialKey? = nil, payload: [UInt8]
    ) {
        self.id = id
        self.kind = kind
        self.lane = lane
        self.userID = userID
        self.serialKey = serialKey
        self.payload = payload
    }
}

/// Tag of ``SerialKey``; has no values.
package enum SerialKeyTag {}
/// What a line of jobs belongs to: the 128 bits of a session's id, for one.
package typealias SerialKey = Identifier<SerialKeyTag>

extension Identifier where Tag == SerialKeyTag {
    /// The line of a session: its turns run one at a time.
    package init(_ session: SessionID) {
        self.init(high: session.high, low: session.low)
    }
}
