// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Persistence

/// Knows how to run one kind of job.
package protocol JobHandler: Sendable {
    /// Begins a run; does no work yet.
    func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun
}

/// One run of a job: does the work, then says what its end is to write.
package protocol JobRun: Sendable {
    /// Does the work; is cancelled when the run is aborted, and then returns soon with whatever.
    ///
    /// - Returns: the job's result as JSON, if it has one.
    func perform() async throws(JobFailure) -> [UInt8]?

    /// What the ending transaction writes besides the queue's own rows. Called after ``perform()`` has returned,
    /// again when the end changes, for instance to cancelled.
    func conclusion(of end: RunEnd) -> RunConclusion

    /// Whether readers may have seen output of this run, so that the next one has to take it back.
    var hadOutput: Bool { get }
}

/// What the end of a run writes.
package struct RunConclusion: Sendable {
    /// The last events of the stream.
    package var events: [StreamEvent]
    /// What changes outside the queue, in the same transaction.
    package var effect: RunEffect

    /// See the properties.
    package init(events: [StreamEvent] = [], effect: RunEffect = .none) {
        self.events = events
        self.effect = effect
    }
}
