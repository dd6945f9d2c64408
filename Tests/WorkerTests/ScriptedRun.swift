// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import TestSupport

@testable import Worker

/// Runs what a test says.
struct ScriptedHandler: JobHandler {
    let perform: @Sendable (ClaimedJob, RunStream) async throws(JobFailure) -> [UInt8]?

    func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun {
        ScriptedRun(job: job, stream: stream, body: perform)
    }
}

private struct ScriptedRun: JobRun {
    let job: ClaimedJob
    let stream: RunStream
    let body: @Sendable (ClaimedJob, RunStream) async throws(JobFailure) -> [UInt8]?

    var hadOutput: Bool { true }

    func perform() async throws(JobFailure) -> [UInt8]? { try await body(job, stream) }

    /// Names its end in its last event, so that a test sees which conclusion was written.
    func conclusion(of end: RunEnd) -> RunConclusion {
        RunConclusion(events: [.queued(StreamQueued(reason: end.state.name))])
    }
}

/// Answers ends with what a test says, and then that they are held.
final class ScriptedSettler: RunSettler {
    struct Call: Sendable {
        let job: ClaimedJob
        let end: RunEnd
        let events: [StampedEvent]
    }

    struct State: Sendable {
        var answers: [Result<Settlement, JobQueueError>] = []
        var calls: [Call] = []
        var abandoned: [Lease] = []
    }

    let state = Watched(State())

    init(_ answers: [Result<Settlement, JobQueueError>] = []) { state.withLock { $0.answers = answers } }

    func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect
    ) async throws(JobQueueError) -> Settlement {
        let answer: Result<Settlement, JobQueueError> = state.withLock { state in
            state.calls.append(Call(job: job, end: end, events: events))
            return state.answers.isEmpty ? .success(.held(wake: [.title])) : state.answers.removeFirst()
        }
        return try answer.get()
    }

    func abandon(_ job: ClaimedJob, _ failure: JobFailure) async throws(JobQueueError) -> Rescue {
        state.withLock { $0.abandoned.append(job.lease) }
        return Rescue(putBackCount: 0, endedCount: 1, wake: [.summary], events: [])
    }
}

extension InMemoryJobQueue: RunSettler {
    func settle(
        _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect
    ) async throws(JobQueueError) -> Settlement {
        try await settle(job, end, events: events)
    }

    func abandon(_ job: ClaimedJob, _ failure: JobFailure) async throws(JobQueueError) -> Rescue {
        guard case .held(let wake) = try await settle(job, .failed(failure), events: []) else {
            return Rescue(putBackCount: 0, endedCount: 0, wake: [], events: [])
        }
        return Rescue(putBackCount: 0, endedCount: 1, wake: wake, events: [])
    }
}
