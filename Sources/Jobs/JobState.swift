// SPDX-License-Identifier: Apache-2.0

/// Where a job stands. The raw value is stored for the three ends; the others are told by the table that holds it.
///
/// `scheduled` → `ready` → `running` → an end; `running` → `ready` | `scheduled` on hand-over, rescue and retry.
package enum JobState: Int16, Sendable, Hashable, CaseIterable {
    /// Has a time before which it does not run: scheduled, retrying or parked.
    case scheduled = 1
    /// In line, behind the head of its serial key, or of a kind that is paused.
    case ready = 2
    case running = 3
    case completed = 4
    case failed = 5
    case cancelled = 6

    /// The name in `J.state`.
    package var name: String {
        switch self {
        case .scheduled: "scheduled"
        case .ready: "ready"
        case .running: "running"
        case .completed: "completed"
        case .failed: "failed"
        case .cancelled: "cancelled"
        }
    }

    /// Whether nothing can happen to the job any more but a retry by hand.
    package var isEnd: Bool { rawValue >= Self.completed.rawValue }
}
