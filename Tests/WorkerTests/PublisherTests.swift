// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1)))
struct PublisherTests {
    private func log(_ appender: ScriptedAppender, _ lease: Lease) -> [StampedEvent] {
        appender.state.value.log[lease] ?? []
    }

    @Test func `what many runs write is stored in order`() async throws {
        let appender = ScriptedAppender()
        try await WorkerFixture.withPublisher(appender) { publisher in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        let stream = publisher.open(WorkerFixture.lease())
                        for index in 0..<100 { try await stream.append(.content("\(index) ")) }
                        let taken = await stream.take()
                        #expect(!taken.isLost)
                        let stored = appender.state.value.log[stream.lease] ?? []
                        #expect(stored + taken.unacknowledged == taken.events)
                        stream.close()
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(appender.state.value.faults == 0)
    }

    @Test func `a stream that may stay empty begins with its first event, and not after its end`() async throws {
        let appender = ScriptedAppender()
        try await WorkerFixture.withPublisher(appender) { publisher in
            let empty = publisher.stream(of: WorkerFixture.lease())
            let nothing = await empty.take()
            #expect(nothing.events.isEmpty && !nothing.isLost && !nothing.isRefused && nothing.nextSequence == 1)
            await #expect(throws: StreamLost()) { try await empty.append(.content("late")) }
            empty.close()
            await #expect(throws: StreamLost()) { try await empty.append(.content("later")) }

            let used = publisher.stream(of: WorkerFixture.lease())
            try await used.append(.content("one "))
            try await used.append(.content("two"))
            let taken = await used.take()
            var fold = ReplyFold()
            for event in taken.events { fold.apply(try StreamEvent(json: event.event.data), at: event.event.cursor) }
            #expect(fold.text == "one two" && !taken.isLost)
            await #expect(throws: StreamLost()) { try await used.append(.content("late")) }
            used.close()
        }
    }

    @Test(arguments: 0..<24)
    func `losses of the connection lose and double nothing`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let steps = (0..<40).map { _ -> ScriptedAppender.Step in
            if Int.random(in: 0..<4, using: &random) > 0 { return .store }
            return .lose(isStored: .random(using: &random), takenBackCount: .random(in: 0..<6, using: &random))
        }
        let appender = ScriptedAppender(steps)
        appender.state.withLock { $0.failingQuestions = Int(seed % 3) }
        let leases = (0..<3).map { _ in WorkerFixture.lease() }
        try await WorkerFixture.withPublisher(appender) { publisher in
            let streams = leases.map { publisher.open($0) }
            for index in 0..<60 {
                let before = appender.state.value.flushes.count
                for stream in streams {
                    let isText = index % 5 > 0
                    try await stream.append(isText ? .content("\(index) ") : .queued(StreamQueued(reason: "\(index)")))
                }
                // At least one flush follows: the script decides what becomes of it.
                await appender.state.wait { $0.flushes.count > before }
            }
            for stream in streams { try await stream.append(.end) }
            await appender.state.wait { state in
                state.steps.isEmpty && leases.allSatisfy { state.log[$0]?.last?.event.kind == .end }
            }
            for stream in streams {
                let taken = await stream.take()
                #expect(!taken.isLost && taken.events == log(appender, stream.lease), "seed \(seed)")
                var fold = ReplyFold()
                for event in taken.events {
                    fold.apply(try StreamEvent(json: event.event.data), at: event.event.cursor)
                }
                let text = (0..<60).filter { $0 % 5 > 0 }.map { "\($0) " }.joined()
                #expect(fold.text == text, "seed \(seed)")
                stream.close()
            }
        }
        #expect(appender.state.value.faults == 0, "seed \(seed)")
    }

    @Test(arguments: 1...9)
    func `an event that is refused fails its job only`(position: Int) async throws {
        let gate = Gate()
        let appender = ScriptedAppender([.hold(gate)])
        let (bad, good) = (WorkerFixture.lease(), WorkerFixture.lease())
        let announced = StampedEvent(
            job: WorkerFixture.id(), event: LoggedEvent(.end, at: StreamCursor(lease: 1, sequence: 1)),
            written: WorkerFixture.now)
        try await WorkerFixture.withPublisher(appender) { publisher in
            let (badStream, goodStream) = (publisher.open(bad), publisher.open(good))
            // The first flush is held, so that all the rest goes in one.
            try await badStream.append(.queued(StreamQueued(reason: "first")))
            await appender.state.wait { $0.flushes.count == 1 }
            for index in 1...9 {
                try await badStream.append(.queued(StreamQueued(reason: index == position ? "REFUSED" : "\(index)")))
                try await goodStream.append(.queued(StreamQueued(reason: "\(index)")))
            }
            publisher.announce([announced])
            gate.open()
            await appender.state.wait { $0.log[good]?.count == 9 && $0.announced.count == 1 }
            let taken = await badStream.take()
            #expect(taken.isRefused && !taken.isLost)
            #expect(taken.acknowledgedCount == position)
            #expect(log(appender, bad) == Array(taken.events.prefix(position)))
            await #expect(throws: StreamLost.self) { try await badStream.append(.end) }
            try await goodStream.append(.end)
            #expect(await !goodStream.take().isRefused)
            badStream.close()
            goodStream.close()
        }
        #expect(appender.state.value.announced == [announced])
        #expect(appender.state.value.faults == 0)
    }

    @Test func `a run waits while too much of it is unsent`() async throws {
        let gate = Gate()
        let appender = ScriptedAppender([.hold(gate)])
        let piece = 64 * 1024
        let begun = Watched(0)
        try await WorkerFixture.withPublisher(appender) { publisher in
            let stream = publisher.open(WorkerFixture.lease())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 0..<40 {
                        begun.withLock { $0 += 1 }
                        try await stream.append(.content(String(repeating: "x", count: piece)))
                    }
                }
                await begun.wait { $0 == 4 }
                #expect(begun.value <= 5)
                gate.open()
                try await group.waitForAll()
            }
            _ = await stream.take()
            stream.close()
        }
        let largest = appender.state.value.flushes.map { $0.reduce(0) { $0 + $1.event.data.count } }.max() ?? 0
        #expect(largest <= 256 * 1024 + 2 * piece)
    }

    @Test func `a taken stream waits for its flush`() async throws {
        let gate = Gate()
        let appender = ScriptedAppender([.hold(gate)])
        try await WorkerFixture.withPublisher(appender) { publisher in
            let stream = publisher.open(WorkerFixture.lease())
            try await stream.append(.content("a"))
            await appender.state.wait { $0.flushes.count == 1 }
            async let taken = stream.take()
            gate.open()
            #expect(await taken.acknowledgedCount == 1)
            stream.close()
        }
    }

    @Test func `a cancelled task is not kept by a flush on the wire`() async throws {
        let gate = Gate()
        let appender = ScriptedAppender([.hold(gate)])
        try await WorkerFixture.withPublisher(appender) { publisher in
            let stream = publisher.open(WorkerFixture.lease())
            try await stream.append(.content("a"))
            await appender.state.wait { $0.flushes.count == 1 }
            let taken = await withTaskGroup(of: TakenStream.self) { group in
                group.addTask { await stream.take() }
                group.cancelAll()
                return await group.next()
            }
            #expect(taken?.isLost == true)
            stream.close()
            gate.open()
        }
    }

    @Test func `a run whose lease is gone is told with its next event`() async throws {
        let appender = ScriptedAppender()
        let lease = WorkerFixture.lease()
        appender.state.withLock { $0.stale = [lease.job] }
        try await WorkerFixture.withPublisher(appender) { publisher in
            let stream = publisher.open(lease)
            try await stream.append(.content("a"))
            await appender.state.wait { $0.flushes.count == 1 }
            #expect(await stream.take().isLost)
            await #expect(throws: StreamLost.self) { try await stream.append(.content("b")) }
            stream.close()
        }
        #expect(log(appender, lease).isEmpty)
    }

    @Test func `a run that waits for room goes on when it is displaced`() async throws {
        let gate = Gate()
        let appender = ScriptedAppender([.hold(gate)])
        let lease = WorkerFixture.lease(1)
        let begun = Watched(0)
        try await WorkerFixture.withPublisher(appender) { publisher in
            let stream = publisher.open(lease)
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: StreamLost.self) {
                        for _ in 0..<40 {
                            begun.withLock { $0 += 1 }
                            try await stream.append(.content(String(repeating: "x", count: 64 * 1024)))
                        }
                    }
                }
                await begun.wait { $0 == 4 }
                let later = publisher.open(Lease(job: lease.job, number: 2))
                await group.waitForAll()
                gate.open()
                stream.close()
                later.close()
            }
        }
    }
}
