// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import API

struct SessionViewerMachineTests {
    private static let high = SubscriberMachine.highWatermarkBytes
    private static let low = SubscriberMachine.lowWatermarkBytes

    /// A page that has its snapshot.
    private func live(at version: Int64 = 3) -> SessionViewerMachine {
        var machine = SessionViewerMachine()
        machine.readBegan()
        #expect(machine.snapshot(version, sizeBytes: 100, bufferedBytes: 0) == .send)
        return machine
    }

    @Test func `nothing comes before the snapshot, and nothing twice after it`() {
        var machine = SessionViewerMachine()
        #expect(machine.event(4, sizeBytes: 1, bufferedBytes: 0) == .ignore)
        machine.readBegan()
        #expect(machine.event(4, sizeBytes: 1, bufferedBytes: 0) == .ignore)
        #expect(machine.snapshot(4, sizeBytes: 100, bufferedBytes: 0) == .send)
        #expect(machine.event(4, sizeBytes: 1, bufferedBytes: 0) == .ignore)
        #expect(machine.event(5, sizeBytes: 1, bufferedBytes: 0) == .send)
    }

    @Test func `a change that needs a snapshot while one is read makes that one worthless`() {
        var machine = SessionViewerMachine()
        machine.readBegan()
        #expect(machine.wantSnapshot() == false)
        #expect(machine.snapshot(4, sizeBytes: 100, bufferedBytes: 0) == .ignore)
        #expect(machine.phase == .wantsSnapshot)
        machine.readBegan()
        #expect(machine.snapshot(5, sizeBytes: 100, bufferedBytes: 0) == .send)
        #expect(machine.phase == .live)
    }

    @Test func `a read that fails is repeated`() {
        var machine = SessionViewerMachine()
        machine.readBegan()
        machine.readFailed()
        #expect(machine.phase == .wantsSnapshot)
        var other = live()
        other.readFailed()
        #expect(other.phase == .live)
    }

    @Test(arguments: [
        (100, 0, SessionViewerMachine.Step.send),
        (100, high - 100, .send),
        (100, high - 99, .awaitDrain(belowBytes: low)),
        // What is large by itself is sent to who has taken everything.
        (10 * high, 0, .send),
        (10 * high, 1, .awaitDrain(belowBytes: 1)),
    ])
    func `a slow reader is held back by what it has not taken`(
        size: Int, buffered: Int, step: SessionViewerMachine.Step
    ) {
        var machine = live()
        #expect(machine.event(9, sizeBytes: size, bufferedBytes: buffered) == step)
        #expect(machine.phase == (step == .send ? .live : .stalled))
    }

    @Test func `a slow reader is sent a snapshot when it has caught up, and nothing before`() {
        var machine = live()
        #expect(machine.drained() == false)
        #expect(machine.event(9, sizeBytes: 100, bufferedBytes: Self.high) == .awaitDrain(belowBytes: Self.low))
        #expect(machine.event(10, sizeBytes: 100, bufferedBytes: 0) == .ignore)
        #expect(machine.wantSnapshot() == false)
        #expect(machine.phase == .stalled)
        #expect(machine.drained() == true)
        machine.readBegan()
        #expect(machine.snapshot(10, sizeBytes: 100, bufferedBytes: 0) == .send)
    }

    @Test func `a snapshot too waits for a slow reader`() {
        var machine = SessionViewerMachine()
        machine.readBegan()
        #expect(machine.snapshot(4, sizeBytes: 100, bufferedBytes: Self.high) == .awaitDrain(belowBytes: Self.low))
        #expect(machine.covered == 0)
        #expect(machine.drained() == true)
        #expect(machine.phase == .wantsSnapshot)
    }
}
