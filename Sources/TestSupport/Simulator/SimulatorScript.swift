// SPDX-License-Identifier: Apache-2.0

/// What a connection of the simulator does next in answer to one request, and when. Pure.
struct SimulatorScript {
    enum Action: Equatable {
        /// Bytes for the wire, complete with framing.
        case send([UInt8])
        /// The token of that number, with the time of its sending in it.
        case sendToken(Int)
        /// The answer is over; the connection can take the next request.
        case finish
        /// Nothing more is sent, and the connection stays open.
        case stall
        case close
        case reset
    }

    struct Step: Equatable {
        /// From the arrival of the request; absolute, so that delays do not add up.
        let offset: Duration
        let action: Action
    }

    /// Steps that come in order; the tokens between them are made one by one.
    private var head: [Step]
    private let tokens: ChatStream?
    private var nextToken = 0
    private var tail: [Step]

    /// A fixed answer.
    init(_ steps: [Step]) {
        head = steps.reversed()
        tokens = nil
        tail = []
    }

    /// A stream of tokens between a head and a tail.
    init(head: [Step], tokens: ChatStream, tail: [Step]) {
        self.head = head.reversed()
        self.tokens = tokens
        self.tail = tail.reversed()
    }

    mutating func next() -> Step? {
        if let step = head.popLast() { return step }
        if let tokens, nextToken < tokens.sentTokenCount {
            defer { nextToken += 1 }
            return Step(offset: tokens.offset(ofToken: nextToken), action: .sendToken(nextToken))
        }
        return tail.popLast()
    }

    /// The wire bytes of a token.
    func bytes(ofToken number: Int, stamp: SimulatorStamp) -> [UInt8] {
        tokens?.bytes(ofToken: number, stamp: stamp) ?? []
    }
}

/// When a token was sent, in microseconds of two clocks.
struct SimulatorStamp {
    let monotonicMicroseconds: Int64
    let realTimeMicroseconds: Int64
}
