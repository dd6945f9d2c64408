// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Testing

@testable import Worker

struct OutputPaceTests {
    private let start = WorkerFixture.now

    private func after(_ milliseconds: Int) -> Timestamp { start.advanced(by: .milliseconds(milliseconds)) }

    /// What two histograms come to.
    private func figures(_ pace: OutputPace) -> [Double] {
        let registry = MetricsRegistry()
        let (firsts, gaps) = (registry.histogram("a_seconds", help: "."), registry.histogram("b_seconds", help: "."))
        firsts.add(pace.firsts)
        gaps.add(pace.gaps)
        return [Double(firsts.count), firsts.sum, Double(gaps.count), gaps.sum]
    }

    @Test func `the first output counts from the start of the run, each later one from the one before`() {
        var machine = PublisherMachine()
        let (one, other) = (WorkerFixture.lease(), WorkerFixture.lease())
        machine.open(one, at: start)
        machine.open(other, at: after(100))
        // No output: what the worker itself says.
        _ = machine.append(
            .usage(Usage(promptTokens: 1, completionTokens: 0, contextLimit: 9, isEstimated: true)), to: one,
            at: after(10))
        _ = machine.append(.content("a"), to: one, at: after(250))
        _ = machine.append(.reasoning("b"), to: other, at: after(350))
        _ = machine.append(.content("c"), to: one, at: after(500))
        _ = machine.append(.end, to: one, at: after(600))
        _ = machine.append(.content("d"), to: one, at: after(1000))
        #expect(figures(machine.pace.take()) == [2, 0.5, 2, 0.75])
        #expect(figures(machine.pace.take()) == [0, 0, 0, 0])
        _ = machine.append(.content("e"), to: other, at: after(850))
        #expect(figures(machine.pace.take()) == [0, 0, 1, 0.5])
    }

    @Test func `a stream that is lost has no pace and a clock that steps back makes no time`() {
        var machine = PublisherMachine()
        let lease = WorkerFixture.lease(2)
        machine.open(lease, at: start)
        _ = machine.append(.content("a"), to: Lease(job: lease.job, number: 1), at: after(50))
        #expect(figures(machine.pace.take()) == [0, 0, 0, 0])
        _ = machine.append(.content("a"), to: lease, at: after(-50))
        #expect(figures(machine.pace.take()) == [1, 0, 0, 0])
    }
}
