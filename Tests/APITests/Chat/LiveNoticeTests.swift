// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Observability
import Persistence
import TestSupport
import Testing

@testable import API

/// What readers of a reply are told beside its log.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct LiveNoticeTests {
    private static func timing(sweep: Duration) -> StreamHub.Timing {
        var timing = StreamHub.Timing()
        timing.tickInterval = .milliseconds(5)
        timing.sweepInterval = sweep
        timing.deafSweepInterval = sweep
        return timing
    }

    private static let finished = ["content", "stop", "usage", "end", "complete"]

    @Test(.migratedDatabase) func `who waits in line is told, and again when it attaches again`() async throws {
        try await ChatFixture.with(timing: Self.timing(sweep: .milliseconds(20))) { chat in
            let reply = try await chat.send()
            let queued = try await reply.client.events(1)[0]
            #expect(queued.name == "queued" && queued.id == "")
            #expect(
                try JSONParser.parse(queued.data)
                    == .object(["type": "queued", "position": 0, "reason": "workers_busy"]))
            let (again, _) = try await chat.open("GET", "/api/chat/stream/\(reply.message)?after=0.1")
            let repeated = try await again.events(1)[0]
            #expect(repeated == queued)
            let job = try await chat.claim()
            try await chat.reply(["a"], to: job)
            for client in [reply.client, again] {
                #expect(try await client.eventsToEnd().map(\.name) == Self.finished)
                await client.close()
            }
        }
    }

    @Test(.migratedDatabase) func `who waits for a paused kind is told so, and nobody else waits with it`() async throws
    {
        try await ChatFixture.with(timing: Self.timing(sweep: .milliseconds(20))) { chat in
            let (paused, other) = (try await chat.send(), try await chat.send())
            let running = try await chat.claim()
            #expect(running.lease.job == paused.job)
            // Back in the line, which the pause sweeps.
            _ = try await chat.api.services.queue.settle(
                running, .handedOver(hadOutput: false), events: [], effect: .none)
            _ = try await chat.api.services.queue.pause(.chat)
            let (again, _) = try await chat.open("GET", "/api/chat/stream/\(paused.message)?after=0.1")
            var event = try await again.events(1)[0]
            // Before the pause it stood in line for a moment.
            while try JSONParser.parse(event.data)["reason"] == "workers_busy" { event = try await again.events(1)[0] }
            #expect(try JSONParser.parse(event.data) == .object(["type": "queued", "reason": "paused"]))
            let page = try await chat.get("/api/jobs?kind=chat")
            #expect(page.status == 200)
            let states = page.data["items"]?.arrayValue?.map { $0["state"]?.stringValue }
            #expect(states == ["ready", "ready"])
            for reply in [paused, other] {
                let (reader, _) = try await chat.open("GET", "/api/chat/stream/\(reply.message)")
                #expect(try await reader.events(1)[0].name == "start")
                await reader.close()
                await reply.client.close()
            }
            await again.close()
        }
    }

    @Test(.migratedDatabase) func `a reply that is handed over and finds no worker is said to wait`() async throws {
        try await ChatFixture.with(timing: Self.timing(sweep: .milliseconds(20))) { chat in
            let reply = try await chat.send()
            let job = try await chat.claim()
            try await chat.publish(job, from: 1, [.content("a")])
            var event = try await reply.client.events(1)[0]
            while event.name != "content" { event = try await reply.client.events(1)[0] }
            _ = try await chat.api.services.queue.settle(job, .handedOver(hadOutput: true), events: [], effect: .none)
            // And one that attaches again, whose page ends in what the first run wrote.
            let (again, _) = try await chat.open("GET", "/api/chat/stream/\(reply.message)?after=0.1")
            #expect(try await again.events(1)[0].name == "content")
            for client in [reply.client, again] {
                let told = try await client.events(1)[0]
                #expect(told.name == "queued" && told.id == "")
                #expect(try JSONParser.parse(told.data)["reason"] == "workers_busy")
                await client.close()
            }
        }
    }

    @Test func `a job that runs in silence is not said to wait`() async throws {
        try await HubFixture.with(timing: Self.timing(sweep: .milliseconds(20))) { fixture in
            let process = fixture.first
            let job = try await fixture.job()
            try await fixture.run(job, lease: 7)
            let client = try await process.watch(job)
            await process.until { $0.sweptJobs.value >= 5 }
            try await fixture.publish(fixture.contents(job, lease: 7, 1...2))
            try await fixture.end(job, [fixture.completion(job, lease: 7, 3)])
            #expect(try await client.eventsToEnd().map(\.name) == ["content", "content", "complete"])
            #expect(process.value("switchyard_stream_notices_total") == 0)
            await client.close()
        }
    }

    @Test(.migratedDatabase) func `a parked job says so to who attaches again, and only once to who was told`()
        async throws
    {
        try await ChatFixture.with(timing: Self.timing(sweep: .milliseconds(20))) { chat in
            let metrics = await chat.api.services.hub.metrics
            let reply = try await chat.send()
            let job = try await chat.claim()
            let failure = JobFailure(.rateLimited, .rateLimited, "later")
            let cursor = StreamCursor(lease: job.lease.number, sequence: 1)
            let parked = StampedEvent(
                job: job.lease.job,
                event: LoggedEvent(
                    .queued(
                        StreamQueued(
                            reason: "rate_limited",
                            until: chat.api.services.clock.now.advanced(by: .seconds(3600)))), at: cursor),
                written: chat.api.services.clock.now)
            _ = try await chat.api.services.queue.settle(
                job, .again(after: .seconds(3600), attemptSpent: false, hadOutput: false, failure: failure),
                events: [parked])
            chat.api.services.notifier.announce([parked])
            var event = try await reply.client.events(1)[0]
            // Before the claim it stood in line for a moment.
            if event.id == "" { event = try await reply.client.events(1)[0] }
            #expect(event.name == "queued" && event.id == cursor.description)
            let (swept, notices) = (metrics.sweptJobs.value, metrics.notices.value)
            while metrics.sweptJobs.value < swept + 5 { await Task.yield() }
            #expect(metrics.notices.value == notices)

            let (again, _) = try await chat.open("GET", "/api/chat/stream/\(reply.message)?after=\(cursor)")
            let live = try await again.events(1)[0]
            #expect(live.name == "queued" && live.id == "")
            let data = try JSONParser.parse(live.data)
            #expect(data["reason"] == "rate_limited")
            #expect(data["until"]?.stringValue.flatMap { Timestamp($0) } != nil)
            await again.close()
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `a parked job says so at once, not only when it has been silent`() async throws {
        try await ChatFixture.with(timing: Self.timing(sweep: .seconds(3600))) { chat in
            let reply = try await chat.send()
            let job = try await chat.claim()
            let failure = JobFailure(.rateLimited, .rateLimited, "later")
            _ = try await chat.api.services.queue.settle(
                job, .again(after: .seconds(3600), attemptSpent: false, hadOutput: false, failure: failure), events: [])
            let (again, _) = try await chat.open("GET", "/api/jobs/\(reply.job)/events?after=0.1")
            #expect(try await again.events(1)[0].name == "queued")
            await again.close()
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `a title that is made while the reply is written is told live and not replayed`()
        async throws
    {
        try await ChatFixture.with(timing: Self.timing(sweep: .seconds(3600))) { chat in
            await chat.api.untilListening()
            let reply = try await chat.send()
            let (byJob, _) = try await chat.open("GET", "/api/jobs/\(reply.job)/events?after=0.1")
            let jobs = try await chat.api.services.queue.claim(
                ClaimLimit(total: 2, background: 2), worker: chat.worker)
            let (job, title) = (try #require(jobs.first), try #require(jobs.last))
            #expect(job.kind == .chat && title.kind == .title)
            // Both have joined in.
            try await chat.publish(job, from: 1, [.content("a")])
            for client in [reply.client, byJob] { #expect(try await client.events(1)[0].name == "content") }
            _ = try await chat.api.services.queue.settle(
                title, .completed(result: nil), events: [],
                effect: .title(session: chat.session, owner: chat.person.id, title: "Made"))
            for client in [reply.client, byJob] {
                let event = try await client.events(1)[0]
                #expect(event.name == "title" && event.id == "")
                #expect(
                    try JSONParser.parse(event.data)
                        == .object(["type": "title", "sessionId": .string("\(chat.session)"), "title": "Made"]))
            }
            try await chat.finish(job, from: 2, text: "a")
            for client in [reply.client, byJob] {
                #expect(try await client.eventsToEnd().map(\.name) == ["stop", "usage", "end", "complete"])
                await client.close()
            }
            let (replay, _) = try await chat.open("GET", "/api/chat/stream/\(reply.message)")
            #expect(try await replay.eventsToEnd().map(\.name) == ["start"] + Self.finished)
            await replay.close()
        }
    }
}
