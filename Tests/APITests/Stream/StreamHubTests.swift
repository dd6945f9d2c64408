// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@testable import API

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct StreamHubTests {
    /// Sweeps that do not come within a test.
    private static var noSweep: StreamHub.Timing {
        var timing = StreamHub.Timing()
        timing.sweepInterval = .seconds(3600)
        timing.deafSweepInterval = .seconds(3600)
        return timing
    }

    private static func ids(_ events: [StampedEvent]) -> [String] { events.map(\.event.cursor.description) }

    @Test func `a replay from every cursor is what was live, byte for byte`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            let live = try await process.watch(job)
            await process.until { $0.reads.value >= 1 }
            let opening = fixture.event(
                job, 0, 1, .start(StreamStart(messageID: nil, userMessageID: nil, sessionID: nil, jobID: job)))
            try await fixture.store([opening])
            try await fixture.announce([opening])
            try await fixture.run(job, lease: 5)
            for sequence in Int32(1)...8 {
                try await fixture.publish([fixture.event(job, 5, sequence, .content("é\(sequence)\n"))])
            }
            try await fixture.run(job, lease: 7)
            let restart = StreamRestart(attempt: 2, reason: "worker_lost")
            try await fixture.publish([fixture.event(job, 7, 1, .restart(restart))])
            try await fixture.publish(fixture.contents(job, lease: 7, 2...6))
            let last = fixture.completion(job, lease: 7, 7)
            try await fixture.end(job, [last])
            try await fixture.announce([last])

            let seen = try await live.eventsToEnd()
            #expect(seen.map(\.id) == ["0.1"] + (1...8).map { "5.\($0)" } + (1...7).map { "7.\($0)" })
            #expect(seen.last?.name == "complete" && seen[1].data == #"{"type":"content","content":"é1\n"}"#)
            for position in 0...seen.count {
                let cursor = position == 0 ? StreamCursor.beginning : try #require(StreamCursor(seen[position - 1].id))
                let replay = try await process.watch(job, after: cursor)
                #expect(try await replay.eventsToEnd() == Array(seen[position...]))
                await replay.close()
            }
            await live.close()
        }
    }

    @Test(arguments: [true, false])
    func `a reader that begins with known events finds what was said before it came`(isEnded: Bool) async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.store([fixture.event(job, 0, 1, HubFixture.start(of: job))])
            try await fixture.run(job, lease: 7)
            // Nobody is told of these.
            try await fixture.store(fixture.contents(job, lease: 7, 1...2))
            if isEnded { try await fixture.end(job, [fixture.completion(job, lease: 7, 3)]) }
            let client = try await process.watch(job, knowsStart: true)
            #expect(try await client.events(1)[0].id == "0.1")
            #expect(try await client.events(2).map(\.id) == ["7.1", "7.2"])
            if !isEnded {
                let last = fixture.completion(job, lease: 7, 3)
                try await fixture.end(job, [last])
                try await fixture.announce([last])
            }
            #expect(try await client.eventsToEnd().map(\.id) == ["7.3"])
            await client.close()
        }
    }

    @Test func `readers in two processes see one stream`() async throws {
        try await HubFixture.with(processes: 2, timing: Self.noSweep) { fixture in
            for process in fixture.processes { await process.untilListening() }
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            var clients: [StreamClient] = []
            for process in fixture.processes {
                clients.append(try await process.watch(job))
                await process.until { $0.reads.value >= 1 }
            }
            for start in stride(from: Int32(1), to: 200, by: 4) {
                try await fixture.publish(fixture.contents(job, lease: 7, start...(start + 3)))
            }
            let last = fixture.completion(job, lease: 7, 201)
            try await fixture.end(job, [last])
            try await fixture.announce([last])
            for client in clients {
                #expect(try await client.eventsToEnd().map(\.id) == (1...201).map { "7.\($0)" })
                await client.close()
            }
        }
    }

    @Test func `subscribing in the middle of a fast stream loses and repeats nothing`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            async let publishing: Void = {
                for sequence in Int32(1)...400 {
                    try await fixture.publish(fixture.contents(job, lease: 7, sequence...sequence))
                }
            }()
            var clients: [StreamClient] = []
            for _ in 0..<40 { clients.append(try await process.watch(job)) }
            try await publishing
            let last = fixture.completion(job, lease: 7, 401)
            try await fixture.end(job, [last])
            try await fixture.announce([last])
            for client in clients {
                #expect(try await client.eventsToEnd().map(\.id) == (1...401).map { "7.\($0)" })
                await client.close()
            }
        }
    }

    @Test func `what no notification told is delivered by the sweep, and so is the end`() async throws {
        var timing = StreamHub.Timing()
        timing.sweepInterval = .milliseconds(20)
        timing.deafSweepInterval = .milliseconds(10)
        timing.tickInterval = .milliseconds(10)
        try await HubFixture.with(timing: timing) { fixture in
            let job = try await fixture.job()
            let client = try await fixture.first.watch(job)
            let silent = try await fixture.first.watch(job, after: StreamCursor(lease: 9, sequence: 1))
            try await fixture.run(job, lease: 7)
            for round in Int32(0)..<5 {
                try await fixture.store(fixture.contents(job, lease: 7, (round * 3 + 1)...(round * 3 + 3)))
                #expect(try await client.events(3).map(\.id) == (Int32(1)...3).map { "7.\(round * 3 + $0)" })
            }
            try await fixture.end(job, [fixture.completion(job, lease: 7, 16)])
            #expect(try await client.eventsToEnd().map(\.name) == ["complete"])
            // Nothing follows this one's cursor: an orderly end and no event.
            #expect(try await silent.eventsToEnd().isEmpty)
            await client.close()
            await silent.close()
        }
    }

    @Test func `a lost listener is replaced and what was said meanwhile is read`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            let client = try await process.watch(job)
            for round in Int32(0)..<4 {
                try await fixture.publish(fixture.contents(job, lease: 7, (round * 2 + 1)...(round * 2 + 1)))
                #expect(try await client.events(1).map(\.id) == ["7.\(round * 2 + 1)"])
                let connects = process.value("switchyard_postgres_listener_connects_total")
                try await fixture.database.pool.execute(
                    """
                    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                    WHERE application_name = 'switchyard/stream' AND datname = current_database()
                    """)
                try await fixture.publish(fixture.contents(job, lease: 7, (round * 2 + 2)...(round * 2 + 2)))
                #expect(try await client.events(1).map(\.id) == ["7.\(round * 2 + 2)"])
                while process.value("switchyard_postgres_listener_connects_total") <= connects { await Task.yield() }
            }
            await client.close()
        }
    }

    @Test func `a slow reader holds back little, slows nobody and gets everything`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            let slow = try await process.watch(job, receiveBufferBytes: 65_536, isPaused: true)
            let fast = try await process.watch(job)
            await process.until { $0.subscribers.value >= 2 }
            for start in stride(from: Int32(1), to: 800, by: 5) {
                try await fixture.publish(fixture.contents(job, lease: 7, start...(start + 4), bytes: 1000))
            }
            let last = fixture.completion(job, lease: 7, 801)
            try await fixture.end(job, [last])
            try await fixture.announce([last])
            let expected = (1...801).map { "7.\($0)" }
            #expect(try await fast.eventsToEnd().map(\.id) == expected)
            #expect(process.value("switchyard_stream_overflows_total") >= 1)
            try await slow.resume()
            _ = try await slow.head()
            #expect(try await slow.eventsToEnd().map(\.id) == expected)
            #expect(process.value("switchyard_http_event_streams_overflown_total") <= 0)
            await slow.close()
            await fast.close()
        }
    }

    @Test func `a reader that has not come to the end goes on when the job is tried again`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            let slow = try await process.watch(job, receiveBufferBytes: 65_536, isPaused: true)
            for start in stride(from: Int32(1), to: 800, by: 5) {
                try await fixture.publish(fixture.contents(job, lease: 7, start...(start + 4), bytes: 1000))
            }
            let last = fixture.completion(job, lease: 7, 801)
            try await fixture.end(job, [last])
            // Its first read finds that the job has ended, which the slow one is not told yet.
            let other = try await process.watch(job, after: last.event.cursor)
            #expect(try await other.eventsToEnd().isEmpty)
            try await fixture.database.pool.execute("UPDATE jobs SET state = 5 WHERE id = \(job)")
            guard case .linedUp(_, let announced) = try await fixture.queue.retry(job, owner: nil) else {
                return #expect(Bool(false))
            }
            #expect(announced.map(\.event.cursor) == [last.event.cursor])
            let live = try await process.watch(job, after: StreamCursor(lease: 7, sequence: 800), isReady: true)
            try await fixture.announce(announced)
            #expect(try await live.events(1).map(\.name) == ["queued"])
            try await fixture.run(job, lease: 8)
            let again = [fixture.event(job, 8, 1, .restart(StreamRestart(attempt: 1, reason: "retry", keptBytes: 0)))]
            try await fixture.publish(again)
            try await slow.resume()
            _ = try await slow.head()
            #expect(try await slow.events(802).map(\.id) == (1...801).map { "7.\($0)" } + ["8.1"])
            let end = fixture.completion(job, lease: 8, 2)
            try await fixture.end(job, [end])
            try await fixture.announce([end])
            #expect(try await slow.eventsToEnd().map(\.id) == ["8.2"])
            #expect(try await live.eventsToEnd().map(\.id) == ["8.1", "8.2"])
            await slow.close()
            await other.close()
            await live.close()
        }
    }

    @Test func `an event that is larger than every bound arrives`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            let client = try await process.watch(job)
            await process.until { $0.reads.value >= 1 }
            try await fixture.publish(fixture.contents(job, lease: 7, 1...2))
            try await fixture.publish(fixture.contents(job, lease: 7, 3...5, bytes: 400_000))
            let last = fixture.completion(job, lease: 7, 6)
            try await fixture.end(job, [last])
            try await fixture.announce([last])
            let events = try await client.eventsToEnd()
            #expect(events.map(\.id) == (1...6).map { "7.\($0)" })
            #expect(events[3].data.utf8.count > 400_000)
            await client.close()
        }
    }

    @Test func `five hundred readers of one job get every event`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            var clients: [StreamClient] = []
            for _ in 0..<500 { clients.append(try await process.watch(job)) }
            await process.until { $0.subscribers.value >= 500 }
            for start in stride(from: Int32(1), to: 60, by: 3) {
                try await fixture.publish(fixture.contents(job, lease: 7, start...(start + 2)))
            }
            let last = fixture.completion(job, lease: 7, 61)
            try await fixture.end(job, [last])
            try await fixture.announce([last])
            let expected = (1...61).map { "7.\($0)" }
            var complete = 0
            for client in clients {
                if try await client.eventsToEnd().map(\.id) == expected { complete += 1 }
                await client.close()
            }
            #expect(complete == 500)
            await process.until { $0.subscribers.value == 0 }
            #expect(await process.hub.watchedJobCount == 0)
        }
    }

    @Test func `readers that leave are forgotten`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            let job = try await fixture.job()
            var clients: [StreamClient] = []
            for _ in 0..<20 { clients.append(try await process.watch(job)) }
            await process.until { $0.subscribers.value >= 20 }
            for client in clients { await client.close() }
            await process.until { $0.subscribers.value == 0 }
            #expect(await process.hub.watchedJobCount == 0)
        }
    }

    @Test func `a wait ends with the job, with the deadline, and with the task`() async throws {
        var timing = StreamHub.Timing()
        timing.sweepInterval = .milliseconds(20)
        timing.deafSweepInterval = .milliseconds(10)
        timing.tickInterval = .milliseconds(10)
        try await HubFixture.with(timing: timing) { fixture in
            let hub = fixture.first.hub
            let (finished, _) = try await fixture.finishedJob(contents: 2)
            #expect(await hub.waitForEnd(of: finished, deadline: .now + .seconds(30)) == .ended)

            let job = try await fixture.job()
            #expect(await hub.waitForEnd(of: job, deadline: .now) == .deadlinePassed)
            async let told = hub.waitForEnd(of: job, deadline: .now + .seconds(30))
            let cancelled = await withTaskGroup(of: StreamHub.EndOfWait.self) { group in
                group.addTask { await hub.waitForEnd(of: job, deadline: .now + .seconds(30)) }
                group.cancelAll()
                return await group.next()
            }
            #expect(cancelled == .cancelled)
            try await fixture.end(job, [])
            #expect(await told == .ended)
            #expect(await hub.watchedJobCount == 0)
        }
    }

    @Test func `a wait is ended by the last event, without a look at the database`() async throws {
        try await HubFixture.with(timing: Self.noSweep) { fixture in
            let process = fixture.first
            await process.untilListening()
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            async let wait = process.hub.waitForEnd(of: job, deadline: .now + .seconds(30))
            await process.until { $0.reads.value >= 1 }
            let last = fixture.completion(job, lease: 7, 1)
            try await fixture.end(job, [last])
            try await fixture.announce([last])
            #expect(await wait == .ended)
            #expect(process.value("switchyard_stream_reads_total") == 1)
        }
    }
}
