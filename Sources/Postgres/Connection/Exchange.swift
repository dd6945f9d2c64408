// SPDX-License-Identifier: Apache-2.0
import Runtime

/// One call on its way: statements that end with one Sync, and the task that waits. Confined to the loop.
final class Exchange {
    enum Body {
        case statements([SQL])
        /// By the simple protocol, alone on the wire.
        case script(String)
        /// Nothing is sent: the line is held until it is released.
        case exclusive
    }

    /// Why the caller no longer wants the answer.
    enum GivenUp {
        case task
        case deadline
    }

    typealias Answer = Result<[PostgresRows], PostgresError>

    let number: UInt64
    var body: Body
    /// The transaction it belongs to.
    let owner: UInt64?
    /// Result of a BEGIN put in front, which the caller did not ask for.
    var hiddenResults = 0
    var results: [PostgresRows] = []
    var error: PostgresError?
    /// The statement the error belongs to, and whether it may be sent again because of a void plan.
    var failedIndex: Int?
    var planIsVoid = false
    var repeats = 0
    var givenUp: GivenUp?
    /// A cancel meant for another statement may have hit this one.
    var isExposedToCancel = false
    var timer: TimerID?
    private let answer: CheckedContinuation<Answer, Never>

    init(number: UInt64, body: Body, owner: UInt64?, answer: CheckedContinuation<Answer, Never>) {
        self.number = number
        self.body = body
        self.owner = owner
        self.answer = answer
    }

    /// Exactly once.
    func resume(_ result: Answer) { answer.resume(returning: result) }

    func resetForRepeat() {
        repeats += 1
        results = []
        error = nil
        failedIndex = nil
        planIsVoid = false
        isExposedToCancel = false
    }
}

/// What the server will answer next, in the order it was sent.
enum Expectation {
    case preparation(Exchange, text: String)
    /// An old text is let go; whether that works is of no interest.
    case deallocation
    /// The Sync behind either.
    case upkeepEnd
    case statement(Exchange, index: Int)
    /// The Sync behind the statements when more of the call follows.
    case commit(Exchange)
    case end(Exchange)
    case script(Exchange)

    /// Whether its last result is followed by nil.
    var isCommand: Bool {
        switch self {
        case .preparation, .deallocation, .statement, .script: true
        case .upkeepEnd, .commit, .end: false
        }
    }
}
