// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

@testable import API

@Suite(.timeLimit(.minutes(1)))
struct SubscriberMachineTests {
    static func event(
        _ lease: Int64, _ sequence: Int32, bytes: Int = 0, kind: StreamEventKind = .content
    ) -> RelayedEvent {
        let data = #"{"type":"\#(kind.name)","content":"\#(String(repeating: "x", count: bytes))"}"#
        return RelayedEvent(
            LoggedEvent(cursor: StreamCursor(lease: lease, sequence: sequence), kind: kind, data: Array(data.utf8)))
    }

    /// A machine that has read everything up to a cursor.
    static func live(at lease: Int64, _ sequence: Int32) -> SubscriberMachine {
        var machine = SubscriberMachine(after: StreamCursor(lease: lease, sequence: sequence))
        machine.readBegan()
        _ = machine.read([], isFull: false, hasEnded: false, bufferedBytes: 0)
        return machine
    }

    /// `#expect` takes no mutating calls.
    private func expect<Value: Equatable>(
        _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(value == expected, sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        (Int64(5), Int32(3), SubscriberMachine.Step.ignore), (5, 2, .ignore), (4, 9, .ignore), (5, 4, .send),
        (5, 5, .read), (6, 1, .read), (6, 2, .read),
    ])
    func `a live reader takes what follows and reads what does not`(
        lease: Int64, sequence: Int32, expected: SubscriberMachine.Step
    ) {
        var machine = Self.live(at: 5, 3)
        expect(machine.heard(Self.event(lease, sequence), bufferedBytes: 0), expected)
    }

    @Test(arguments: [StreamEventKind.complete, .error])
    func `a terminal event is the last`(kind: StreamEventKind) {
        var machine = Self.live(at: 5, 3)
        expect(machine.heard(Self.event(5, 4, kind: kind), bufferedBytes: 0), .sendLast)
        #expect(machine.phase == .finished)
        expect(machine.heard(Self.event(5, 5), bufferedBytes: 0), .ignore)
        let (swept, drained) = (machine.sweep(), machine.drained())
        #expect(!swept && !drained)
    }

    @Test func `a page is sent as far as it is dense, and the rest waits`() {
        var machine = SubscriberMachine(after: StreamCursor(lease: 5, sequence: 1))
        machine.readBegan()
        let step = machine.read(
            [Self.event(5, 2), Self.event(5, 4)], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(step.events.map(\.cursor.sequence) == [2] && step.next == .nothing)
        #expect(machine.phase == .waiting)
        expect(machine.heard(Self.event(5, 5), bufferedBytes: 0), .ignore)
        expect(machine.heard(Self.event(5, 3), bufferedBytes: 0), .send)
        #expect(machine.phase == .live)
        expect(machine.heard(Self.event(5, 6), bufferedBytes: 0), .read)
    }

    @Test func `a gap waits for the sweep`() {
        var machine = SubscriberMachine(after: .beginning)
        machine.readBegan()
        let gap = machine.read([Self.event(5, 2)], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(gap.events.isEmpty)
        #expect(machine.phase == .waiting)
        expect(machine.sweep(), true)
        machine.readBegan()
        let step = machine.read(
            [Self.event(5, 1), Self.event(5, 2)], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(step.events.count == 2 && machine.phase == .live)
    }

    @Test func `a gap is final once a later lease or the job's end is seen`() {
        var machine = SubscriberMachine(after: StreamCursor(lease: 5, sequence: 1))
        machine.readBegan()
        let step = machine.read(
            [Self.event(5, 3), Self.event(7, 1)], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(step.events.map(\.cursor.lease) == [5, 7] && machine.phase == .live)

        machine = SubscriberMachine(after: StreamCursor(lease: 5, sequence: 1))
        machine.readBegan()
        let last = machine.read([Self.event(5, 3)], isFull: false, hasEnded: true, bufferedBytes: 0)
        #expect(last.events.count == 1 && last.next == .finish)
    }

    @Test func `a finished job with nothing after the cursor ends the stream`() {
        var machine = SubscriberMachine(after: StreamCursor(lease: 5, sequence: 9))
        machine.readBegan()
        let step = machine.read([], isFull: false, hasEnded: true, bufferedBytes: 0)
        #expect(step.events.isEmpty && step.next == .finish && machine.phase == .finished)
    }

    @Test func `what is heard during a read is kept within its bound and read again beyond it`() {
        var machine = SubscriberMachine(after: .beginning)
        machine.readBegan()
        for sequence in Int32(1)...4 {
            expect(machine.heard(Self.event(0, sequence, bytes: 20 << 10), bufferedBytes: 0), .ignore)
        }
        let step = machine.read([], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(step.events.map(\.cursor.sequence) == [1, 2, 3] && step.next == .read)
        #expect(machine.phase == .wantsRead)
    }

    @Test func `a slow reader is sent nothing until it has drained, then reads`() {
        var machine = Self.live(at: 5, 3)
        let step = machine.heard(Self.event(5, 4), bufferedBytes: SubscriberMachine.highWatermarkBytes)
        #expect(step == .awaitDrain(belowBytes: SubscriberMachine.lowWatermarkBytes))
        expect(machine.heard(Self.event(5, 5), bufferedBytes: 0), .ignore)
        #expect(machine.cursor == StreamCursor(lease: 5, sequence: 3))
        let (first, second) = (machine.drained(), machine.drained())
        #expect(first && machine.phase == .wantsRead && !second)
    }

    @Test func `an event larger than the bound is sent when nothing else is unsent`() {
        var machine = Self.live(at: 5, 3)
        let large = Self.event(5, 4, bytes: 100 << 10)
        expect(machine.heard(large, bufferedBytes: 10), .awaitDrain(belowBytes: 1))
        expect(machine.drained(), true)
        machine.readBegan()
        let step = machine.read([large, Self.event(5, 5)], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(step.events.count == 1)
        #expect(step.next == .awaitDrain(belowBytes: SubscriberMachine.lowWatermarkBytes))
    }

    @Test func `a pointer is read where it follows`() {
        var machine = Self.live(at: 5, 3)
        expect(machine.heardPointer(StreamCursor(lease: 5, sequence: 3)), .ignore)
        expect(machine.heardPointer(StreamCursor(lease: 5, sequence: 4)), .read)
        machine.readBegan()
        expect(machine.heardPointer(StreamCursor(lease: 5, sequence: 5)), .ignore)
        let step = machine.read([Self.event(5, 4)], isFull: false, hasEnded: false, bufferedBytes: 0)
        #expect(step.next == .read)
    }

    @Test func `a failed read is wanted again`() {
        var machine = SubscriberMachine(after: .beginning)
        machine.readBegan()
        machine.readFailed()
        #expect(machine.phase == .wantsRead)
        expect(machine.heard(Self.event(0, 1), bufferedBytes: 0), .ignore)
    }

    @Test func `a frame carries the cursor, the type and the data`() {
        let event = LoggedEvent(.content("hi"), at: StreamCursor(lease: 7, sequence: 2))
        #expect(
            String(decoding: RelayedEvent(event).frame, as: UTF8.self)
                == "id: 7.2\nevent: content\ndata: {\"type\":\"content\",\"content\":\"hi\"}\n\n")
        let unknown = LoggedEvent(
            cursor: StreamCursor(lease: 7, sequence: 3), kind: .queued, data: Array(#"{"type":"sparkle"}"#.utf8))
        #expect(String(decoding: RelayedEvent(unknown).frame, as: UTF8.self).contains("event: sparkle\n"))
    }
}
