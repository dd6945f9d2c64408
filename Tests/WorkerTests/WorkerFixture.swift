// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Runtime
import TestSupport

@testable import Worker

enum WorkerFixture {
    static let now = Timestamp(millisecondsSince1970: 1_790_000_000_000)
    private static let ids = UUIDv7Generator { 1_790_000_000_000 }

    static func id<Tag>() -> Identifier<Tag> { ids.next() }

    static func lease(_ number: Int64 = 1, of job: JobID = id()) -> Lease { Lease(job: job, number: number) }

    static func claimed(
        _ lease: Lease = lease(), kind: JobKind = .noop, attempt: Int16 = 1, maximumAttempts: Int16 = 3,
        needsRestart: Bool = false, runLimit: Duration = .seconds(900), waitingSince: Timestamp? = nil,
        isFirstClaim: Bool = false
    ) -> ClaimedJob {
        ClaimedJob(
            lease: lease, kind: kind, lane: .chat, userID: id(), serialKey: nil, payload: [], attempt: attempt,
            maximumAttempts: maximumAttempts, crashes: 0, needsRestart: needsRestart, runLimit: runLimit,
            waitingSince: waitingSince, isFirstClaim: isFirstClaim)
    }

    /// Runs a publisher for the length of a body, and ends it as a shutdown does.
    static func withPublisher(
        _ appender: ScriptedAppender, interval: Duration = .zero,
        _ body: @Sendable (Publisher) async throws -> Void
    ) async throws {
        let publisher = Publisher(
            appender: appender, loop: try TestCluster.loops.get().next(), interval: interval, now: { now },
            logger: .discard, metrics: MetricsRegistry())
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await publisher.run(shutdown) }
            do {
                try await body(publisher)
            } catch {
                group.cancelAll()
                throw error
            }
            shutdown.trigger()
            try await group.waitForAll()
        }
    }
}

/// SplitMix64: random tests print their seed, and the same seed gives the same run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
