// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Runtime
import TestSupport
import Testing

@testable import Worker

struct RunRegistryTests {
    @Test func `a lease that no run and no claim explains is unknown`() {
        let registry = RunRegistry()
        let (known, unknown) = (WorkerFixture.lease(), WorkerFixture.lease())
        _ = registry.add(known)
        let mark = registry.claimMark()
        #expect(registry.unknown(among: [known, unknown], since: mark) == [unknown])
    }

    @Test func `a claim under way explains any lease`() {
        let registry = RunRegistry()
        let lease = WorkerFixture.lease()
        registry.claimBegins()
        let during = registry.claimMark()
        #expect(registry.unknown(among: [lease], since: during).isEmpty)
        registry.claimEnds()
        // The question was asked while the claim was under way.
        #expect(registry.unknown(among: [lease], since: during).isEmpty)
        #expect(registry.unknown(among: [lease], since: registry.claimMark()) == [lease])
    }

    @Test func `a claim since the question explains any lease`() {
        let registry = RunRegistry()
        let lease = WorkerFixture.lease()
        let before = registry.claimMark()
        registry.claimBegins()
        #expect(registry.unknown(among: [lease], since: before).isEmpty)
        registry.claimEnds()
        #expect(registry.unknown(among: [lease], since: before).isEmpty)
    }

    @Test func `another lease of a job that runs is unknown`() {
        let registry = RunRegistry()
        let job: JobID = WorkerFixture.id()
        _ = registry.add(Lease(job: job, number: 1))
        let mark = registry.claimMark()
        let later = Lease(job: job, number: 2)
        #expect(registry.unknown(among: [later], since: mark) == [later])
    }

    @Test func `a run without a lease is aborted unless a claim may explain it`() {
        let registry = RunRegistry()
        let (kept, lost) = (WorkerFixture.lease(), WorkerFixture.lease())
        let (keptSignal, lostSignal) = (registry.add(kept), registry.add(lost))
        registry.claimBegins()
        registry.abortLost(held: [kept], since: registry.claimMark())
        #expect(lostSignal.reason == nil)
        registry.claimEnds()
        registry.abortLost(held: [kept], since: registry.claimMark())
        #expect(lostSignal.reason == .leaseLost && keptSignal.reason == nil)
    }

    @Test func `an abort reaches the run of its lease only`() {
        let registry = RunRegistry()
        let job: JobID = WorkerFixture.id()
        let signal = registry.add(Lease(job: job, number: 2))
        registry.abort(Lease(job: job, number: 1), .cancelled)
        #expect(signal.reason == nil)
        registry.abort(Lease(job: job, number: 2), .cancelled)
        #expect(signal.reason == .cancelled)
        registry.abortAll(.shutdown)
        #expect(signal.reason == .cancelled)
        registry.abortAll(.leaseLost)
        #expect(signal.reason == .leaseLost)
    }

    @Test func `a job claimed again aborts its earlier run, which keeps its slot`() {
        let registry = RunRegistry()
        let job: JobID = WorkerFixture.id()
        let (first, second) = (Lease(job: job, number: 1), Lease(job: job, number: 2))
        let earlier = registry.add(first)
        let later = registry.add(second)
        #expect(earlier.reason == .leaseLost && later.reason == nil)
        #expect(registry.count == 2)
        registry.remove(first)
        #expect(registry.count == 1)
        #expect(registry.unknown(among: [second], since: registry.claimMark()).isEmpty)
        registry.remove(second)
        #expect(registry.count == 0)
    }

    @Test func `an abort that came before the task cancels it`() async {
        let signal = AbortSignal()
        signal.abort(.deadline)
        let task = Task { await ShutdownSignal().wait() }
        signal.bind(task)
        await task.value
        #expect(signal.runEnded() == .deadline)
    }

    @Test func `an abort that comes after the work leaves the task alone`() async {
        let signal = AbortSignal()
        let end = Gate()
        let task = Task {
            await end.wait()
            #expect(!Task.isCancelled)
        }
        signal.bind(task)
        #expect(signal.runEnded() == nil)
        signal.abort(.cancelled)
        end.open()
        await task.value
        #expect(signal.reason == .cancelled)
    }
}
