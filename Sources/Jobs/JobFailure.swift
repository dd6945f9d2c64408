// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Why a run did not succeed, and what kind of cure there is.
package struct JobFailure: Error, Sendable, Hashable {
    /// What may help.
    package enum Class: Sendable, Hashable {
        /// Trying again after a delay may help; costs an attempt.
        case retry
        /// Nothing helps.
        case fatal
        /// The provider asked to wait; costs no attempt.
        case rateLimited
        /// The provider was not asked, because it may not be now; costs no attempt and is no error of the job.
        case waiting
        /// The worker is shutting down or lost its database; costs no attempt.
        case interrupted
    }

    /// Decides between retry, wait, hand-over and end; see ``RetryPolicy``.
    package var `class`: Class
    /// A machine word, bounded.
    package var code: ErrorCode
    /// For the log and the job's error history: the provider's words without keys.
    package var message: String
    /// The provider's own wait, which wins over ours.
    package var retryAfter: Duration?

    /// See the properties.
    package init(_ class: Class, _ code: ErrorCode, _ message: String, retryAfter: Duration? = nil) {
        self.class = `class`
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }
}
