// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

@testable import Worker

struct PublisherMachineTests {
    let lease = WorkerFixture.lease(5)
    let now = WorkerFixture.now

    private func machine(_ events: [StreamEvent] = [], _ leases: [Lease]? = nil) -> PublisherMachine {
        var machine = PublisherMachine()
        for lease in leases ?? [lease] {
            machine.open(lease, at: now)
            for event in events { _ = machine.append(event, to: lease, at: now) }
        }
        return machine
    }

    /// The macro does not take an expression that changes what it is called on.
    private func required<Value>(_ value: Value?) throws -> Value { try #require(value) }

    private func texts(_ flush: PublisherMachine.Flush?) -> [StreamEvent] {
        flush?.events.compactMap { try? StreamEvent(json: $0.event.data) } ?? []
    }

    /// What gathers before a flush, and what it becomes.
    static let merging: [(appended: [StreamEvent], flushed: [StreamEvent])] = [
        ([.content("a"), .content("b")], [.content("ab")]),
        ([.content("a"), .reasoning("b"), .content("c")], [.content("a"), .reasoning("b"), .content("c")]),
        ([.reasoning("a"), .reasoning("b")], [.reasoning("ab")]),
        ([.content(""), .content("a"), .content("")], [.content("a")]),
        ([.content("a"), .end, .content("b")], [.content("a"), .end, .content("b")]),
        ([.end, .end], [.end, .end]),
        (
            [.content(String(repeating: "x", count: 1000)), .content(String(repeating: "y", count: 25))],
            [.content(String(repeating: "x", count: 1000)), .content(String(repeating: "y", count: 25))]
        ),
        (
            [.content(String(repeating: "x", count: 1000)), .content(String(repeating: "y", count: 24))],
            [.content(String(repeating: "x", count: 1000) + String(repeating: "y", count: 24))]
        ),
        ([.content(String(repeating: "é", count: 3000))], [.content(String(repeating: "é", count: 3000))]),
    ]

    @Test(arguments: merging.indices)
    func `text that gathers is one event`(row: Int) {
        var machine = machine(Self.merging[row].appended)
        let flush = machine.beginFlush(at: now)
        #expect(texts(flush) == Self.merging[row].flushed)
        #expect(flush?.events.map(\.event.cursor.sequence) == Array(1...Int32(Self.merging[row].flushed.count)))
        #expect(flush?.events.allSatisfy { $0.lease == lease } == true)
    }

    @Test func `only text that says nothing makes no flush`() {
        var machine = machine([.content("")])
        #expect(machine.beginFlush(at: now) == nil)
        #expect(!machine.hasWork)
    }

    @Test func `the first event and announcements are urgent and the rest are not`() {
        var machine = machine([.content("a")])
        #expect(machine.hasUrgentWork)
        _ = machine.append(.content("b"), to: lease, at: now)
        let flush = machine.beginFlush(at: now)
        #expect(!machine.hasWork && !machine.hasUrgentWork)
        _ = machine.acknowledge(flush ?? .init(), live: [lease.job])
        _ = machine.append(.content("c"), to: lease, at: now)
        #expect(machine.hasWork && !machine.hasUrgentWork)
        machine.announce(flush?.events ?? [])
        #expect(machine.hasUrgentWork)
    }

    @Test func `the first output after an estimate is urgent, the second is not`() {
        let usage = Usage(promptTokens: 1, completionTokens: nil, contextLimit: 10, isEstimated: true)
        var machine = machine([.usage(usage)])
        let estimate = machine.beginFlush(at: now)
        _ = machine.acknowledge(estimate ?? .init(), live: [lease.job])
        _ = machine.append(.content("a"), to: lease, at: now)
        #expect(machine.hasUrgentWork)
        let first = machine.beginFlush(at: now)
        _ = machine.acknowledge(first ?? .init(), live: [lease.job])
        _ = machine.append(.content("b"), to: lease, at: now)
        #expect(machine.hasWork && !machine.hasUrgentWork)
    }

    @Test func `one flush is on the wire at a time and the next carries what gathered`() throws {
        var machine = machine([.content("a")])
        let first = try required(machine.beginFlush(at: now))
        _ = machine.append(.content("b"), to: lease, at: now)
        _ = machine.append(.content("c"), to: lease, at: now)
        #expect(machine.beginFlush(at: now) == nil)
        #expect(machine.isInFlight(lease))
        #expect(machine.acknowledge(first, live: [lease.job]) == [])
        #expect(!machine.isInFlight(lease))
        let second = machine.beginFlush(at: now)
        #expect(texts(second) == [.content("bc")])
        #expect(second?.events.map(\.event.cursor.sequence) == [2])
    }

    @Test func `pending bytes fall with the acknowledgement`() throws {
        var machine = machine([.content("abc"), .end])
        #expect(machine.pendingBytes(of: lease) > 0)
        let flush = try required(machine.beginFlush(at: now))
        #expect(machine.pendingBytes(of: lease) == flush.events.reduce(0) { $0 + $1.event.data.count })
        _ = machine.acknowledge(flush, live: [lease.job])
        #expect(machine.pendingBytes(of: lease) == 0)
        machine.resynchronize(stored: [lease: 0])
        #expect(machine.pendingBytes(of: lease) == flush.events.reduce(0) { $0 + $1.event.data.count })
    }

    @Test func `a failed flush is sent again with the same bytes and its announcements`() throws {
        var machine = machine([.content("a")])
        let other = WorkerFixture.lease()
        let announced = StampedEvent(
            job: other.job, event: LoggedEvent(.end, at: StreamCursor(lease: 1, sequence: 9)), written: now)
        machine.announce([announced])
        let first = try required(machine.beginFlush(at: now))
        machine.fail(first)
        _ = machine.append(.content("b"), to: lease, at: now)
        machine.resynchronize(stored: [lease: 0])
        let again = try required(machine.beginFlush(at: now.advanced(by: .seconds(60))))
        #expect(Array(again.events.prefix(1)) == first.events)
        #expect(texts(again) == [.content("a"), .content("b")])
        #expect(again.announcements == [announced])
    }

    @Test(arguments: 0...4)
    func `after a loss just what the database lacks is sent again`(stored: Int32) throws {
        var machine = machine([.content("1"), .end, .content("3"), .end])
        let flush = try required(machine.beginFlush(at: now))
        _ = machine.acknowledge(flush, live: [lease.job])
        machine.resynchronize(stored: [lease: stored])
        let again = machine.beginFlush(at: now.advanced(by: .seconds(9)))
        #expect(again?.events ?? [] == Array(flush.events[Int(stored)...]))
    }

    @Test func `what the database says of other leases changes nothing`() throws {
        var machine = machine([.content("1")])
        let flush = try required(machine.beginFlush(at: now))
        _ = machine.acknowledge(flush, live: [lease.job])
        machine.resynchronize(stored: [Lease(job: lease.job, number: 4): 0, WorkerFixture.lease(): 7])
        #expect(machine.beginFlush(at: now) == nil)
        machine.resynchronize(stored: [lease: 70])
        #expect(machine.beginFlush(at: now) == nil)
    }

    @Test func `a stream is taken after its flush and not while it is on the wire`() throws {
        var machine = machine([.content("a")])
        let flush = try required(machine.beginFlush(at: now))
        _ = machine.append(.content("b"), to: lease, at: now)
        #expect(machine.take(lease, at: now) == nil)
        _ = machine.acknowledge(flush, live: [lease.job])
        let taken = try required(machine.take(lease, at: now))
        #expect(taken.events.count == 2 && taken.acknowledgedCount == 1 && taken.nextSequence == 3)
        #expect(taken.unacknowledged.map(\.event.cursor.sequence) == [2])
        #expect(machine.beginFlush(at: now) == nil)
        guard case .lost = machine.append(.end, to: lease, at: now) else {
            return #expect(Bool(false), "a taken stream takes nothing")
        }
    }

    @Test func `a stream taken while the log is unsure is written whole`() throws {
        var machine = machine([.content("a")])
        let first = try required(machine.beginFlush(at: now))
        _ = machine.acknowledge(first, live: [lease.job])
        _ = machine.append(.content("b"), to: lease, at: now)
        let second = try required(machine.beginFlush(at: now))
        machine.fail(second)
        let taken = try required(machine.take(lease, at: now))
        #expect(Array(taken.unacknowledged) == first.events + second.events)
    }

    @Test func `a stream whose lease is gone is lost and the others are not`() throws {
        let other = WorkerFixture.lease(5)
        var machine = machine([.content("a")], [lease, other])
        let flush = try required(machine.beginFlush(at: now))
        #expect(flush.events.count == 2)
        #expect(machine.acknowledge(flush, live: [other.job]) == [lease.job])
        guard case .lost = machine.append(.end, to: lease, at: now) else {
            return #expect(Bool(false), "a lost stream takes nothing")
        }
        #expect(machine.take(lease, at: now)?.isLost == true)
        guard case .pending = machine.append(.end, to: other, at: now) else {
            return #expect(Bool(false), "another stream goes on")
        }
        #expect(machine.pendingBytes(of: lease) == 0)
    }

    @Test func `a refused event leaves what came before it`() throws {
        var machine = machine([.content("a"), .end, .content("c")])
        let flush = try required(machine.beginFlush(at: now))
        machine.reject(flush.events[1])
        #expect(machine.acknowledge(flush, live: []) == [])
        let taken = try required(machine.take(lease, at: now))
        #expect(taken.isRefused && !taken.isLost && taken.acknowledgedCount == 1)
    }

    @Test func `a later lease displaces an earlier run of the job`() throws {
        var machine = machine([.content("old")])
        let flush = try required(machine.beginFlush(at: now))
        _ = machine.append(.content("older"), to: lease, at: now)
        let later = Lease(job: lease.job, number: 6)
        machine.open(later, at: now)
        guard case .lost = machine.append(.content("x"), to: lease, at: now) else {
            return #expect(Bool(false), "the earlier run is lost")
        }
        _ = machine.append(.content("new"), to: later, at: now)
        // The answer to the earlier run's flush is none of the later one's business.
        #expect(machine.acknowledge(flush, live: []) == [])
        #expect(machine.take(lease, at: now)?.isLost == true)
        machine.close(lease)
        let next = machine.beginFlush(at: now)
        #expect(texts(next) == [.content("new")])
        #expect(next?.events.map(\.lease) == [later])
        #expect(machine.openCount == 1)
    }

    @Test func `a run that opens late does not displace a later one`() {
        var machine = machine([.content("a")])
        machine.open(Lease(job: lease.job, number: 4), at: now)
        #expect(machine.openLeases == [lease])
        #expect(texts(machine.beginFlush(at: now)) == [.content("a")])
    }

    @Test func `a closed stream is forgotten, also with a flush on the wire`() throws {
        var machine = machine([.content("a")])
        let flush = try required(machine.beginFlush(at: now))
        _ = machine.append(.content("b"), to: lease, at: now)
        machine.close(lease)
        #expect(machine.openCount == 0 && !machine.hasWork)
        #expect(machine.acknowledge(flush, live: []) == [])
        machine.fail(flush)
        #expect(machine.beginFlush(at: now) == nil)
        #expect(machine.take(lease, at: now)?.isLost == true)
    }

    @Test func `a flush is bounded and what is left goes with the next`() throws {
        let leases = (0..<50).map { _ in WorkerFixture.lease() }
        var machine = machine([StreamEvent](repeating: .end, count: 100), leases)
        var sent = 0
        while let flush = machine.beginFlush(at: now) {
            #expect(flush.events.count < PublisherMachine.flushLimitEvents + 100)
            sent += flush.events.count
            _ = machine.acknowledge(flush, live: Set(leases.map(\.job)))
        }
        #expect(sent == 5000)
    }

    @Test func `a held stream gathers and goes with the first flush after its release`() {
        var machine = PublisherMachine()
        let (held, other) = (WorkerFixture.lease(), WorkerFixture.lease())
        machine.open(held, at: now, isHeld: true)
        machine.open(other, at: now)
        _ = machine.append(.content("a"), to: held, at: WorkerFixture.now)
        #expect(!machine.hasWork)
        _ = machine.append(.content("b"), to: other, at: WorkerFixture.now)
        let first = machine.beginFlush(at: WorkerFixture.now)
        #expect(first?.events.map(\.job) == [other.job])
        if let first { _ = machine.acknowledge(first, live: [other.job]) }
        machine.release(held)
        #expect(machine.hasUrgentWork)
        let second = machine.beginFlush(at: WorkerFixture.now)
        #expect(second?.events.map(\.job) == [held.job])
        machine.release(held)
        #expect(!machine.hasWork)
    }

    @Test func `a held stream stays held through a lost connection and ends with what it has`() {
        var machine = PublisherMachine()
        let lease = WorkerFixture.lease()
        machine.open(lease, at: now, isHeld: true)
        _ = machine.append(.content("a"), to: lease, at: WorkerFixture.now)
        machine.resynchronize(stored: [lease: 0])
        #expect(!machine.hasWork)
        let taken = machine.take(lease, at: WorkerFixture.now)
        #expect(taken?.unacknowledged.count == 1)
    }
}
