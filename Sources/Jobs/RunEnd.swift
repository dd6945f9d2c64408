// SPDX-License-Identifier: Apache-2.0

/// How a run ends for the queue.
package enum RunEnd: Sendable {
    /// Done; the result is JSON, shown in `J.result`.
    case completed(result: [UInt8]?)
    /// Failed for good.
    case failed(JobFailure)
    case cancelled
    /// Back after a delay. `hadOutput`: the next lease begins with `restart`.
    case again(after: Duration, attemptSpent: Bool, hadOutput: Bool, failure: JobFailure)
    /// Back in line at once, the attempt given back: this worker leaves.
    case handedOver(hadOutput: Bool)

    /// The state after it.
    package var state: JobState {
        switch self {
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        case .again: .scheduled
        case .handedOver: .ready
        }
    }
}

/// What became of the end of a run.
package enum Settlement: Sendable, Hashable {
    /// It was written. The lanes that have new work are to be woken.
    case held(wake: Set<Lane>)
    /// The lease was another's or gone: nothing was written. A normal outcome, counted.
    case stale
    /// The lease holds and nothing was written: the job was cancelled meanwhile and is to be ended so.
    case cancelRequested
}
