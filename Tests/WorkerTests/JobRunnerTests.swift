// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Runtime
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1)))
struct JobRunnerTests {
    /// What a run left behind.
    private struct Ran {
        let calls: [ScriptedSettler.Call]
        let abandoned: [Lease]
        let woken: Set<Lane>
        let log: [StampedEvent]
        let announced: [StampedEvent]

        var reasons: [[String]] {
            calls.map { $0.events.compactMap { Self.reason($0) } }
        }

        static func reason(_ event: StampedEvent) -> String? {
            guard case .queued(let queued)? = try? StreamEvent(json: event.event.data) else { return nil }
            return queued.reason
        }
    }

    private func run(
        _ job: ClaimedJob = WorkerFixture.claimed(), settler: ScriptedSettler = ScriptedSettler(),
        appender: ScriptedAppender = ScriptedAppender(), abort: AbortReason? = nil,
        _ body: @escaping @Sendable (RunStream) async throws(JobFailure) -> [UInt8]?
    ) async throws -> Ran {
        let woken = Recorder<Set<Lane>>([])
        let registry = RunRegistry()
        try await WorkerFixture.withPublisher(appender) { publisher in
            let begun = Gate()
            let handler = ScriptedHandler { _, stream async throws(JobFailure) in
                begun.open()
                return try await body(stream)
            }
            let runner = JobRunner(
                handlers: [.noop: handler], settler: settler, publisher: publisher, registry: registry,

                policy: RetryPolicy(), wake: { lanes in woken.withLock { $0.formUnion(lanes) } },
                now: { WorkerFixture.now }, logger: .discard, metrics: WorkerMetrics(MetricsRegistry()))
            let signal = registry.add(job.lease)
            let home = LoopDomain(try TestCluster.loops.get().next())
            let tasks = LoopTasks()
            await home.start(runner, job, signal, in: tasks)
            if let abort {
                await begun.wait()
                signal.abort(abort)
            }
            await tasks.waitForAll()
            #expect(registry.count == 0)
        }
        let state = settler.state.value
        return Ran(
            calls: state.calls, abandoned: state.abandoned, woken: woken.withLock { $0 },
            log: appender.state.value.log[job.lease] ?? [], announced: appender.state.value.announced)
    }

    private static func write(_ reason: String, to stream: RunStream) async throws(JobFailure) {
        do throws(StreamLost) { try await stream.append(.queued(StreamQueued(reason: reason))) } catch {
            throw JobFailure(.interrupted, .internalError, "lost")
        }
    }

    /// Waits until its task is cancelled, as a handler that hangs on the network.
    private static func hang() async {
        await ShutdownSignal().wait()
    }

    @Test func `a run ends with what is not stored yet and its conclusion`() async throws {
        let ran = try await run { stream async throws(JobFailure) in
            try await Self.write("a", to: stream)
            return [1]
        }
        #expect(ran.calls.count == 1)
        guard case .completed([1])? = ran.calls.first?.end else { return #expect(Bool(false), "\(ran.calls)") }
        // Stored by the publisher or by the end, but not by none.
        let stored = ran.log + ran.calls[0].events.filter { !ran.log.contains($0) }
        #expect(stored.compactMap { Ran.reason($0) } == ["a", "completed"])
        #expect(stored.map(\.event.cursor.sequence) == [1, 2])
        #expect(ran.woken == [.title])
        #expect(ran.announced.last == ran.calls[0].events.last)
    }

    @Test func `an end is repeated with all events until the database takes it`() async throws {
        let settler = ScriptedSettler([.failure(.unavailable), .failure(.unavailable)])
        let appender = ScriptedAppender()
        let ran = try await run(settler: settler, appender: appender) { stream async throws(JobFailure) in
            for index in 1...3 { try await Self.write("\(index)", to: stream) }
            await appender.state.wait { $0.log[stream.lease]?.count == 3 }
            return nil
        }
        #expect(ran.reasons.count == 3)
        #expect(ran.reasons.first?.last == "completed")
        #expect(Array(ran.reasons[1...]) == [[String]](repeating: ["1", "2", "3", "completed"], count: 2))
        #expect(ran.calls[1].events.map(\.event.cursor.sequence) == [1, 2, 3, 4])
        #expect(ran.calls[1].events == ran.calls[2].events)
        #expect(Array(ran.calls[1].events.prefix(3)) == ran.log)
    }

    @Test func `an end that was cancelled meanwhile is written as cancelled`() async throws {
        let settler = ScriptedSettler([.success(.cancelRequested)])
        let ran = try await run(settler: settler) { _ in nil }
        #expect(ran.calls.map(\.end.state) == [.completed, .cancelled])
        #expect(ran.reasons == [["completed"], ["cancelled"]])
        #expect(ran.calls[1].events.map(\.event.cursor.sequence) == [1])
    }

    /// Why a run was aborted and what it ends with; nil writes nothing.
    static let aborts: [(AbortReason, JobState?)] = [
        (.cancelled, .cancelled), (.shutdown, .ready), (.deadline, .failed), (.leaseLost, nil),
    ]

    @Test(arguments: aborts.indices)
    func `an aborted run ends as its reason says`(row: Int) async throws {
        let (reason, state) = Self.aborts[row]
        let ran = try await run(abort: reason) { _ in
            await Self.hang()
            return [1]
        }
        #expect(ran.calls.map(\.end.state) == (state.map { [$0] } ?? []))
        switch ran.calls.first?.end {
        case .handedOver(let hadOutput): #expect(hadOutput)
        case .failed(let failure): #expect(failure.code == .deadlineExceeded)
        default: break
        }
    }

    @Test func `a run that takes too long fails with its own code`() async throws {
        let ran = try await run(WorkerFixture.claimed(runLimit: .milliseconds(1))) { _ in
            await Self.hang()
            return nil
        }
        guard case .failed(let failure)? = ran.calls.first?.end else { return #expect(Bool(false)) }
        #expect(failure.code == .deadlineExceeded && ran.calls.count == 1)
    }

    @Test func `a kind that nobody knows fails`() async throws {
        let ran = try await run(WorkerFixture.claimed(kind: JobKind(rawValue: "new"))) { _ in nil }
        #expect(ran.calls.map(\.end.state) == [.failed])
    }

    /// A failure, the attempt it happened in, and where the job is then.
    static let failures: [(JobFailure.Class, Int16, JobState)] = [
        (.fatal, 1, .failed), (.retry, 1, .scheduled), (.retry, 3, .failed), (.rateLimited, 3, .scheduled),
        (.interrupted, 3, .ready),
    ]

    @Test(arguments: failures.indices)
    func `a failed run ends as its class says`(row: Int) async throws {
        let (failureClass, attempt, state) = Self.failures[row]
        let ran = try await run(WorkerFixture.claimed(attempt: attempt)) { _ async throws(JobFailure) in
            throw JobFailure(failureClass, .providerUnavailable, "no")
        }
        #expect(ran.calls.map(\.end.state) == [state])
        if case .again(_, let isSpent, let hadOutput, _)? = ran.calls.first?.end {
            #expect(isSpent == (failureClass == .retry) && hadOutput)
        }
    }

    @Test func `a stale end wakes and repeats nothing`() async throws {
        let ran = try await run(settler: ScriptedSettler([.success(.stale)])) { _ in nil }
        #expect(ran.calls.count == 1 && ran.woken.isEmpty && ran.announced.isEmpty)
    }

    @Test func `an end that the database refuses is not repeated for ever`() async throws {
        let job = WorkerFixture.claimed()
        let ran = try await run(job, settler: ScriptedSettler([.failure(.failed("22P05"))])) { _ in nil }
        #expect(ran.calls.count == 1)
        #expect(ran.abandoned == [job.lease] && ran.woken == [.summary])
    }

    @Test func `a run with an event that the database refuses fails`() async throws {
        let job = WorkerFixture.claimed()
        let appender = ScriptedAppender()
        let ran = try await run(job, appender: appender) { stream async throws(JobFailure) in
            try await Self.write("REFUSED", to: stream)
            // Until it is told: nothing of it can be stored any more.
            while true { try await Self.write("more", to: stream) }
        }
        #expect(ran.calls.isEmpty && ran.abandoned == [job.lease] && ran.log.isEmpty)
    }

    @Test func `a run whose lease is lost while it writes ends nothing`() async throws {
        let job = WorkerFixture.claimed()
        let appender = ScriptedAppender()
        appender.state.withLock { $0.stale = [job.lease.job] }
        let ran = try await run(job, appender: appender) { stream async throws(JobFailure) in
            while true { try await Self.write("x", to: stream) }
        }
        #expect(ran.calls.isEmpty && ran.abandoned.isEmpty)
    }
}

extension LoopDomain {
    /// As the worker does it, from the loop, the claim being durable.
    fileprivate func start(_ runner: JobRunner, _ job: ClaimedJob, _ abort: AbortSignal, in tasks: LoopTasks) {
        runner.start(job, abort: abort, in: tasks, on: self) {}
        runner.release([job.lease])
    }
}
