// SPDX-License-Identifier: Apache-2.0
import HTTP
import Runtime

/// Names a connection of a loop; a descriptor alone would name its successor too.
struct ConnectionID: Sendable, Hashable {
    let descriptor: Int32
    let serial: UInt64
}

/// Everything one connection needs, confined to its ``ServerLoop``. Idle it holds no buffers.
final class Connection {
    let id: ConnectionID
    let peer: SocketAddress?
    var state: ConnectionState
    var registration: Registration?
    var interest: Interest = []
    /// `nil` while an event stream is open: nothing is parsed then.
    var parser: RequestParser?
    /// Bytes that were read before their turn; while there are any, nothing more is read.
    var pending: [UInt8] = []
    var outbox: [UInt8] = []
    var outboxStart = 0
    var exchange: Exchange?
    var stream: OpenStream?
    /// Since when the client has taken nothing of what is in the outbox.
    var stalledSince: ContinuousClock.Instant?
    /// A response stream that waits until the outbox is below the mark; resumed with whether it may go on.
    var drainWaiter: CheckedContinuation<Bool, Never>?
    var lingeredBytes = 0
    var isFirstRequest = true
    var isDirty = false
    var isClosed = false
    /// The body's consumer holds back too much.
    var isPaused = false
    /// The client has shut its side; the kernel repeats that with every wait.
    var hasHungUp = false
    /// The end of the input has been read.
    var hasEnded = false

    init(id: ConnectionID, peer: SocketAddress?, state: ConnectionState, parser: RequestParser) {
        self.id = id
        self.peer = peer
        self.state = state
        self.parser = parser
    }

    var outboxBytes: Int { outbox.count - outboxStart }
}

/// An event stream of a connection.
struct OpenStream {
    let writer: EventStreamWriter
    let heartbeat: Duration
    var nextHeartbeat: ContinuousClock.Instant
    let isChunked: Bool
}

/// A request that is being answered.
final class Exchange {
    /// Tells this request's answer from a late one of its predecessor.
    let serial: UInt64
    let requestID: String
    let head: RequestHead
    let policy: RequestPolicy
    let maxBodyBytes: Int
    let body: RequestBody
    let startedAt: ContinuousClock.Instant
    var receivedBytes = 0
    var awaitsContinue: Bool
    var task: Task<Void, Never>?
    /// Whether a streamed answer is written in chunks.
    var isChunked = false
    /// Of the answer, once it has begun.
    var status = HTTPStatus.ok

    init(
        serial: UInt64, requestID: String, head: RequestHead, policy: RequestPolicy, maxBodyBytes: Int,
        body: RequestBody, startedAt: ContinuousClock.Instant
    ) {
        self.serial = serial
        self.requestID = requestID
        self.head = head
        self.policy = policy
        self.maxBodyBytes = maxBodyBytes
        self.body = body
        self.startedAt = startedAt
        awaitsContinue = head.expectsContinue && head.hasBody
    }
}
