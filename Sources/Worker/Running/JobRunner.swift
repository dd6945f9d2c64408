// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
import Runtime

/// Runs one claimed job from its claim to its settled end.
package final class JobRunner: Sendable {
    private let handlers: [JobKind: any JobHandler]
    private let settler: any RunSettler
    private let publisher: Publisher
    private let registry: RunRegistry
    private let policy: RetryPolicy
    private let wake: @Sendable (Set<Lane>) -> Void
    let now: @Sendable () -> Timestamp
    private let logger: Logger
    private let metrics: WorkerMetrics

    /// What all runs of the process share.
    ///
    /// - Parameters:
    ///   - handlers: a kind without an entry fails its jobs for good.
    ///   - settler: writes the end of a run.
    ///   - publisher: carries each run's stream.
    ///   - registry: where a run is taken out when it has ended.
    ///   - policy: what follows a failure.
    ///   - wake: tells every worker of new work in lanes.
    ///   - now: the database's clock as this process knows it.
    ///   - logger: told of retries, failures and ends that could not be written yet.
    ///   - metrics: runs by their end, and stale ends.
    package init(
        handlers: [JobKind: any JobHandler], settler: any RunSettler, publisher: Publisher, registry: RunRegistry,
        policy: RetryPolicy, wake: @escaping @Sendable (Set<Lane>) -> Void,
        now: @escaping @Sendable () -> Timestamp, logger: Logger, metrics: WorkerMetrics
    ) {
        self.handlers = handlers
        self.settler = settler
        self.publisher = publisher
        self.registry = registry
        self.policy = policy
        self.wake = wake
        self.now = now
        self.logger = logger
        self.metrics = metrics
    }

    /// Starts the run of a job that is in the registry. Its task ends when the end is settled, or the lease is lost.
    func start(
        _ job: ClaimedJob, abort: AbortSignal, in tasks: LoopTasks, on home: isolated LoopDomain,
        whenOver: @escaping @Sendable () -> Void
    ) {
        // Held until the claim is durable: see ``release(_:)``. Only chat has readers.
        let stream =
            job.lane == .chat ? publisher.open(job.lease, isHeld: true) : publisher.stream(of: job.lease)
        let context = LogContext.current.with {
            $0.jobID = job.lease.job
            $0.attempt = Int(job.attempt)
            $0.userID = job.userID
        }
        let task = context.run {
            tasks.start(on: home) { [self] home in
                await run(job, stream, abort: abort, in: tasks, on: home)
                whenOver()
            }
        }
        abort.bind(task)
    }

    /// The claims of these runs are durable: what they have to show may be shown.
    func release(_ leases: [Lease]) { publisher.release(leases) }

    private func run(
        _ job: ClaimedJob, _ stream: RunStream, abort: AbortSignal, in tasks: LoopTasks, on home: isolated LoopDomain
    ) async {
        defer {
            stream.close()
            registry.remove(job.lease)
        }
        guard let handler = handlers[job.kind] else {
            let run = UnknownKindRun()
            _ = abort.runEnded()
            return await settle(job, run, .failed(run.failure), stream)
        }
        let run = handler.begin(job, stream: stream)
        let began = ContinuousClock.now
        let deadline = home.loop.schedule(at: began + job.runLimit) { abort.abort(.deadline) }
        let end = await perform(run, job, abort)
        home.loop.cancel(deadline)
        metrics.ran(job, end: end, took: began.duration(to: .now))
        guard let end else { return }
        guard Task.isCancelled else { return await settle(job, run, end, stream) }
        // What was cancelled is the work. The end is written all the same, unless the whole process has to leave.
        await tasks.start(on: home) { [self] _ in await settle(job, run, end, stream) }.value
    }

    /// The end that the run came to, or nil when nothing may be written.
    private func perform(_ run: any JobRun, _ job: ClaimedJob, _ abort: AbortSignal) async -> RunEnd? {
        let outcome: Result<[UInt8]?, JobFailure>
        do throws(JobFailure) { outcome = .success(try await run.perform()) } catch { outcome = .failure(error) }
        switch abort.runEnded() {
        case .leaseLost: return nil
        case .cancelled: return .cancelled
        case .shutdown: return .handedOver(hadOutput: run.hadOutput || job.needsRestart)
        case .deadline:
            return .failed(JobFailure(.fatal, .deadlineExceeded, "the run took longer than \(job.runLimit)"))
        case nil: break
        }
        if Task.isCancelled { return nil }
        switch outcome {
        case .success(let result): return .completed(result: result)
        case .failure(let failure): return end(after: failure, job, run)
        }
    }

    private func end(after failure: JobFailure, _ job: ClaimedJob, _ run: any JobRun) -> RunEnd {
        let decision = policy.decide(
            failure, attempt: job.attempt, maximumAttempts: job.maximumAttempts, jitter: .random(in: 0...1))
        let hadOutput = run.hadOutput || job.needsRestart
        switch decision {
        case .fail:
            logger.warning("job failed", [.errorCode: "\(failure.code.rawValue)", .errorDetail: "\(failure.message)"])
            return .failed(failure)
        case .handOver: return .handedOver(hadOutput: hadOutput)
        case .again(let delay, let attemptSpent):
            logger.info(
                "job will run again", [.errorCode: "\(failure.code.rawValue)", .errorDetail: "\(failure.message)"])
            return .again(after: delay, attemptSpent: attemptSpent, hadOutput: hadOutput, failure: failure)
        }
    }

    /// Repeats until the end is written or found to be another's: the result of a run is never thrown away
    /// because the database was away.
    private func settle(_ job: ClaimedJob, _ run: any JobRun, _ end: RunEnd, _ stream: RunStream) async {
        let taken = await stream.take()
        if taken.isLost { return metrics.staleEnds.increment() }
        if taken.isRefused { return await abandon(job) }
        var end = end
        var isRepeated = false
        let backoff = Backoff(base: .milliseconds(50), cap: .seconds(2))
        var attempt = 0
        while !Task.isCancelled {
            let conclusion = run.conclusion(of: end)
            let last = number(conclusion.events, after: taken)
            // What was acknowledged may be gone with a crashed database, so a repetition writes everything.
            let earlier = isRepeated ? taken.events[...] : taken.unacknowledged
            do throws(JobQueueError) {
                switch try await settler.settle(job, end, events: earlier + last, effect: conclusion.effect) {
                case .held(let lanes):
                    metrics.settled(job, as: end, at: now())
                    let written = earlier + last
                    if !written.isEmpty { publisher.announce(Array(written)) }
                    if !lanes.isEmpty { wake(lanes) }
                    return
                case .stale:
                    logger.warning("the end of a run was stale")
                    return metrics.staleEnds.increment()
                case .cancelRequested: end = .cancelled
                }
            } catch {
                switch error {
                case .cancelled: return
                case .failed(let detail):
                    logger.error("the end of a run is refused", [.errorDetail: "\(detail)"])
                    return await abandon(job)
                case .unavailable: logger.error("the end of a run could not be written yet")
                }
                isRepeated = true
                attempt += 1
                do { try await ContinuousClock().sleep(for: backoff.delay(attempt: attempt)) } catch { return }
            }
        }
    }

    /// Fails the job with what the log has: to repeat what the database refuses would hold the slot for ever.
    private func abandon(_ job: ClaimedJob) async {
        let failure = JobFailure(.fatal, .internalError, "the database refuses what the run has written")
        let backoff = Backoff(base: .milliseconds(50), cap: .seconds(2))
        var attempt = 0
        while !Task.isCancelled {
            do throws(JobQueueError) {
                let rescue = try await settler.abandon(job, failure)
                publisher.announce(rescue.events)
                return wake(rescue.wake)
            } catch {
                guard error == .unavailable else {
                    return logger.error("a run could not be ended", [.errorDetail: "\(error)"])
                }
                attempt += 1
                do { try await ContinuousClock().sleep(for: backoff.delay(attempt: attempt)) } catch { return }
            }
        }
    }

    private func number(_ events: [StreamEvent], after taken: TakenStream) -> [StampedEvent] {
        if events.isEmpty { return [] }
        let stamp = now()
        return events.enumerated().map { index, event in
            let cursor = StreamCursor(lease: taken.lease.number, sequence: taken.nextSequence + Int32(index))
            return StampedEvent(job: taken.lease.job, event: LoggedEvent(event, at: cursor), written: stamp)
        }
    }
}

/// A job of a kind that this version does not know.
private struct UnknownKindRun: JobRun {
    let failure = JobFailure(.fatal, .internalError, "this worker does not know the kind of the job")
    var hadOutput: Bool { false }
    func perform() async throws(JobFailure) -> [UInt8]? { throw failure }
    func conclusion(of end: RunEnd) -> RunConclusion { RunConclusion() }
}
