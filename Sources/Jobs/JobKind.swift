// SPDX-License-Identifier: Apache-2.0

/// What a job does; names the handler that runs it. A worker fails a kind that it does not know.
package struct JobKind: RawRepresentable, Sendable, Hashable {
    /// The stored name.
    package let rawValue: String

    /// Any name: a kind of a newer version must be readable.
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Answers a message.
    package static let chat = JobKind(rawValue: "chat")
    /// Names a session after its first turn.
    package static let title = JobKind(rawValue: "title")
    /// Does nothing; for benchmarks and the queue's own tests.
    package static let noop = JobKind(rawValue: "noop")
}
