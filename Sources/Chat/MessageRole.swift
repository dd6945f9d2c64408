// SPDX-License-Identifier: Apache-2.0

/// Who speaks in a message. The raw value is stored and is what clients see.
package enum MessageRole: String, Sendable, Hashable, CaseIterable {
    case system
    case developer
    case user
    case assistant
    case tool
}

/// How far a message has come. The raw value is stored and is what clients see.
package enum MessageStatus: String, Sendable, Hashable, CaseIterable {
    /// A placeholder whose job waits.
    case queued
    /// A placeholder whose job runs.
    case streaming
    /// All of it is stored.
    case complete
    /// Part of it is stored; the run was stopped or failed.
    case incomplete
    /// The run failed and left no text.
    case failed

    /// Whether a job is still to write this message.
    package var isPending: Bool { self == .queued || self == .streaming }

    /// The status of a reply whose run is over.
    package static func ended(hasText: Bool, isWhole: Bool) -> MessageStatus {
        isWhole ? .complete : hasText ? .incomplete : .failed
    }
}
