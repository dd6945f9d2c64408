// SPDX-License-Identifier: Apache-2.0

/// What a connection may do next and until when: the rules of HTTP/1.1 without any input or output.
///
/// One request at a time. The request's side goes idle → head → body → complete, the answer's side none → pending →
/// begun; both reach their end before the next request, otherwise the connection ends after the answer.
struct ConnectionState {
    typealias Instant = ContinuousClock.Instant

    /// The request's side.
    enum Input { case idle, head, body, complete }
    /// The answer's side. `pending`: a handler works on it.
    enum Output { case none, pending, begun }
    /// `closing`: the last bytes are on their way out; `lingering`: they are out, input is thrown away.
    enum Phase { case open, closing, lingering }

    /// What to do about a deadline that has passed.
    enum DeadlineAction: Equatable { case none, close, refuse(RequestRefusal) }

    private(set) var input = Input.idle
    private(set) var output = Output.none
    private(set) var phase = Phase.open
    private(set) var deadline: Instant?
    /// No further request will be read.
    private(set) var endsAfterResponse = false
    private var isPersistent = true

    /// A new connection: silence counts against the first request.
    init(deadline: Instant) { self.deadline = deadline }

    /// Nothing is going on: the connection may end without anyone missing an answer.
    var isIdle: Bool { phase == .open && input == .idle && output == .none }

    /// Whether bytes may be parsed now.
    var wantsInput: Bool { phase == .open && input != .complete }

    /// The first byte of a request.
    mutating func requestBegan(headDeadline: Instant, isFirst: Bool) {
        guard input == .idle else { return }
        input = .head
        if !isFirst { deadline = headDeadline }
    }

    /// A complete header section. The answer may begin from here on.
    mutating func headEnded(isPersistent: Bool, bodyDeadline: Instant) {
        input = .body
        output = .pending
        self.isPersistent = isPersistent
        deadline = bodyDeadline
    }

    /// The body's last byte.
    mutating func inputEnded() {
        input = .complete
        deadline = nil
    }

    /// The head of the answer is about to be written.
    ///
    /// - Returns: whether the connection ends after this answer, which its head has to say.
    mutating func responseBegan(isDraining: Bool) -> Bool {
        output = .begun
        endsAfterResponse = endsAfterResponse || !isPersistent || isDraining || input != .complete
        return endsAfterResponse
    }

    /// The answer is a stream, which takes as long as it takes: the rest of the request is not waited for any more.
    mutating func eventStreamBegan() { deadline = nil }

    /// The last byte of the answer is in our buffer.
    ///
    /// - Returns: whether the connection goes on with the next request.
    mutating func responseEnded(idleDeadline: Instant) -> Bool {
        guard phase == .open else { return false }
        deadline = nil
        guard !endsAfterResponse else {
            phase = .closing
            return false
        }
        input = .idle
        output = .none
        deadline = idleDeadline
        return true
    }

    /// The input is broken or late. Nothing more is read.
    ///
    /// - Returns: whether an answer can still be given; otherwise one has begun and can only be cut.
    mutating func refused() -> Bool {
        deadline = nil
        endsAfterResponse = true
        guard phase == .open, output != .begun else { return false }
        return true
    }

    /// The connection has to end after what is under way; used when shutting down.
    mutating func endSoon() { endsAfterResponse = true }

    /// No further request can come, but an answer is still on its way.
    mutating func closeAfterFlush() {
        phase = .closing
        deadline = nil
    }

    /// The last answer is in the kernel: our side is shut, the client's leftovers are read for a while.
    mutating func lingerBegan(deadline: Instant) {
        phase = .lingering
        self.deadline = deadline
    }

    /// What a passed deadline means.
    func deadlinePassed(_ now: Instant) -> DeadlineAction {
        guard let deadline, deadline <= now else { return .none }
        switch (phase, input) {
        case (.open, .head): return .refuse(.headTimedOut)
        case (.open, .body): return .refuse(.bodyTimedOut)
        case (.open, .idle), (.lingering, _): return .close
        case (.open, .complete), (.closing, _): return .none
        }
    }
}
