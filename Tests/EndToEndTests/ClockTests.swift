// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import JSON
import Postgres
import TestSupport
import Testing

extension EndToEnd {
    /// Wall clocks that are off by five minutes, or step by as much in the middle of everything.
    @Suite(.timeLimit(.minutes(1)), .enabled(if: ClockShift.isAvailable)) struct ClockTests {
        /// Whose clock is wrong; the others' are right.
        enum Owner: String { case database, api, worker }

        /// A test of clocks that are right would prove nothing.
        private func isWrong(
            _ clock: ClockShift, _ owner: Owner, _ deployment: Deployment, _ processes: [Owner: SwitchyardProcess]
        ) async throws {
            if let process = processes[owner] { return #expect(try clock.isLoaded(by: process)) }
            try clock.set(.seconds(-300))
            let time = try await deployment.withConnection { connection in
                try await connection.query("SELECT extract(epoch FROM clock_timestamp())::float8").decodeFirst(
                    Double.self)
            }
            #expect(abs((time ?? 0) + 300 - Date.now.timeIntervalSince1970) < 60)
        }

        @Test(arguments: [
            (Owner.database, [-300]), (.database, [0, 300, -300]), (.api, [0, -300, 300]), (.worker, [0, 300, -300]),
        ])
        func `a clock that is off or steps changes nothing`(owner: Owner, seconds: [Int64]) async throws {
            try await ClockShift.with { clock in
                try clock.set(.seconds(seconds[0]))
                try await PrivateCluster.with(preloading: owner == .database ? clock.library : nil) { cluster in
                    try await cluster.migrate()
                    try await Deployment.with(database: cluster.url) { deployment, _ in
                        let api = try await deployment.start(
                            .serve, environment: owner == .api ? clock.environment : [:])
                        let wrong = owner == .worker ? clock.environment : [:]
                        let worker = try await deployment.start(.work, environment: wrong)
                        let client = try await api.client()
                        let session = try await client.newSession(model: Deployment.model, title: "Clock")

                        try await isWrong(clock, owner, deployment, [.api: api, .worker: worker])

                        // It steps while a reply streams.
                        let stream = try await client.post(simulate(["tokens": 150, "itl": "10ms"]), to: session)
                        var reply = try await stream.read(pieces: 3)
                        for offset in seconds.dropFirst() {
                            try clock.set(.seconds(offset))
                            reply = try await stream.read(into: reply, pieces: 20)
                        }
                        reply = try await stream.read(into: reply)
                        #expect(reply.shape == ReplyTests.finishedShape)
                        #expect(reply.violations == [])
                        #expect(reply.text.split(separator: " ").count == 150)
                        #expect(try await client.attach(to: stream.messageID).read().logged == reply.logged)
                        #expect(try await client.call("GET", "/api/jobs/\(stream.jobID)")["attempt"] == 1)

                        // A retry comes when it is due, and a second turn behind the first one after it.
                        let failing = try await client.post(
                            simulate(["tokens": 5, "fault": "status503", "times": 1]), to: session)
                        let behind = try await client.post(simulate(["tokens": 5]), to: session)
                        #expect(try await failing.read(within: .seconds(5)).last("complete") != nil)
                        #expect(try await behind.read(within: .seconds(5)).last("complete") != nil)

                        // It steps back between two leases of a job, and death is noticed as soon as ever.
                        let doomed = try await client.post(simulate(["tokens": 150, "itl": "10ms"]), to: session)
                        let begun = try await doomed.read(pieces: 3)
                        try clock.set(.seconds(-300))
                        let rescuer = try await deployment.start(.work, environment: wrong)
                        worker.kill()
                        let killed = ContinuousClock.now
                        let restarted = try await doomed.read(into: begun) { $0.event == "restart" }
                        #expect(killed.duration(to: .now) < .seconds(5))
                        let rescued = try await doomed.read(into: restarted)
                        #expect(rescued.violations == [])
                        #expect(rescued.text.split(separator: " ").count == 150)
                        #expect(rescuer.child.isRunning)
                        let stored = try await client.messages(of: session)
                        #expect(stored.count == 8)
                        #expect(stored.last?["content"]?.stringValue == rescued.text)
                        try await deployment.everythingEnded()
                    }
                }
            }
        }
    }
}
