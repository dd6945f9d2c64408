// SPDX-License-Identifier: Apache-2.0
import HTTP

/// The head of a response as it came.
struct ResponseHead: Sendable {
    var status: HTTPStatus
    var fields: HTTPFields
}

/// What has come of a response and was not taken yet. Pure: the mailbox around it has the lock and the waiting tasks.
///
/// awaiting the head → receiving ⇄ held back → ended. What came before the end is delivered before the end.
struct ResponseBuffer {
    enum Taken {
        case bytes([UInt8], resumesTransfer: Bool)
        case end
        case failure(HTTPClientError)
        case nothingYet
    }

    private let highWaterBytes: Int
    private var head: ResponseHead?
    private var bytes: [UInt8] = []
    private var isHeldBack = false
    private var outcome: Result<Void, HTTPClientError>?

    init(highWaterBytes: Int) {
        self.highWaterBytes = highWaterBytes
    }

    /// No more comes: the transfer ended, or nobody wants it.
    var isEnded: Bool { outcome != nil }

    /// Whether ``take()`` would have an answer.
    var hasSomething: Bool { !bytes.isEmpty || outcome != nil }

    mutating func receiveHead(_ head: ResponseHead) {
        guard outcome == nil else { return }
        self.head = head
    }

    /// - Returns: false when the chunk was not taken, because there is enough to do already: hold the peer back and
    ///   bring it again.
    mutating func receive(_ chunk: Span<UInt8>) -> Bool {
        guard outcome == nil else { return true }
        guard bytes.count < highWaterBytes else {
            isHeldBack = true
            return false
        }
        unsafe chunk.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        return true
    }

    /// The first outcome holds.
    mutating func end(_ outcome: Result<Void, HTTPClientError>) {
        if self.outcome == nil { self.outcome = outcome }
    }

    /// The consumer is gone: what waits is dropped, and what comes ignored.
    mutating func abandon(_ error: HTTPClientError) {
        end(.failure(error))
        bytes = []
    }

    func takeHead() -> Result<ResponseHead, HTTPClientError>? {
        if let head { return .success(head) }
        if case .failure(let error) = outcome { return .failure(error) }
        return nil
    }

    mutating func take() -> Taken {
        if !bytes.isEmpty {
            var taken: [UInt8] = []
            swap(&taken, &bytes)
            defer { isHeldBack = false }
            return .bytes(taken, resumesTransfer: isHeldBack)
        }
        switch outcome {
        case .success: return .end
        case .failure(let error): return .failure(error)
        case nil: return .nothingYet
        }
    }
}
