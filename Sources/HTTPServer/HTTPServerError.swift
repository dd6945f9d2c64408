// SPDX-License-Identifier: Apache-2.0
package import Runtime

/// What goes wrong between a socket and a handler: the one error of this module.
package struct HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Handlers choose their answer by it.
    package enum Code: String, Sendable {
        /// The server could not listen; `cause` says why.
        case cannotListen = "cannot_listen"
        /// The body is over the route's or the caller's limit: 413.
        case bodyTooLarge = "body_too_large"
        /// The body's framing is wrong or it ended early; the server has answered already.
        case bodyMalformed = "body_malformed"
        /// The body did not come in time; the server has answered already.
        case bodyTimedOut = "body_timed_out"
        /// The client is gone.
        case disconnected = "disconnected"
        /// The task that waited was cancelled.
        case cancelled = "cancelled"
    }

    /// What went wrong.
    package let code: Code
    /// The system call that failed, where one did.
    package let cause: SystemError?

    /// An error with the system call behind it, if any.
    package init(_ code: Code, cause: SystemError? = nil) {
        self.code = code
        self.cause = cause
    }

    /// Whether the same call may succeed later without a change: only listening, when the address becomes free.
    package var isRetryable: Bool { code == .cannotListen }

    /// Free of user data.
    package var description: String { cause.map { "\(code.rawValue): \($0)" } ?? code.rawValue }
}
