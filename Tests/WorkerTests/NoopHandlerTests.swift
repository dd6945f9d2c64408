// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

@testable import Worker

/// The jobs that measure the queue.
@Suite(.timeLimit(.minutes(1)))
struct NoopHandlerTests {
    private func withRun(
        _ payload: [UInt8], _ body: @Sendable (any JobRun) async throws -> Void
    ) async throws {
        try await WorkerFixture.withPublisher(ScriptedAppender()) { publisher in
            let lease = WorkerFixture.lease()
            let job = ClaimedJob(
                lease: lease, kind: .noop, lane: .embedding, userID: WorkerFixture.id(), serialKey: nil,
                payload: payload, attempt: 1, maximumAttempts: 1, crashes: 0, needsRestart: false,
                runLimit: .seconds(900))
            let stream = publisher.open(lease, isHeld: false)
            defer { stream.close() }
            try await body(NoopHandler { WorkerFixture.now }.begin(job, stream: stream))
        }
    }

    /// A payload, and the result of its run.
    static let payloads: [([UInt8], String?)] = [
        (Array("{}".utf8), nil), ([], nil), (Array("no JSON".utf8), nil), (Array(#"{"hold_ms":"long"}"#.utf8), nil),
        (NoopHandler.stampPayload, "1790000000000000"), (NoopHandler.holdPayload(.milliseconds(1)), nil),
    ]

    @Test(arguments: payloads)
    func `a run ends with the result that its payload asks for`(payload: [UInt8], result: String?) async throws {
        try await withRun(payload) { run in
            let ended = try await run.perform()
            #expect(ended == result.map { Array($0.utf8) })
            #expect(!run.hadOutput)
        }
    }

    /// A payload, and how long its run takes.
    static let holds: [([UInt8], Duration?)] = [
        (Array("{}".utf8), nil), (Array(#"{"hold_ms":-1}"#.utf8), nil), (Array(#"{"hold_ms":0}"#.utf8), nil),
        (NoopHandler.holdPayload(.milliseconds(1500)), .milliseconds(1500)),
        (NoopHandler.holdPayload(.seconds(3600)), NoopHandler.longestHold),
    ]

    @Test(arguments: holds)
    func `a run is held for as long as its payload says, within a limit`(payload: [UInt8], time: Duration?) {
        #expect(NoopHandler.hold(of: payload) == time)
    }

    @Test func `a held run ends when it is cancelled`() async throws {
        try await withRun(NoopHandler.holdPayload(NoopHandler.longestHold)) { run in
            let task = Task { () async throws -> [UInt8]? in try await run.perform() }
            task.cancel()
            let failure = await #expect(throws: JobFailure.self) { try await task.value }
            #expect(failure?.class == .interrupted)
        }
    }
}
