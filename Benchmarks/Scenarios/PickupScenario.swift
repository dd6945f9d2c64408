// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import Worker

/// How soon an idle worker in another process begins a job that was just committed.
struct PickupScenario: Scenario {
    let name = "pickup"
    let summary = "enqueue's commit → handler in another process, idle system; N jobs one by one (500)"
    let rounds = 3

    /// Longer than the window in which the notifier gathers and the end of a job waits for company.
    private static let pause = Duration.milliseconds(20)

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let (count, warmUp) = (options.count(quick: 100, normal: 500, full: 2000), 30)
        return try await BenchmarkDeployment.with { deployment in
            try await deployment.startWorker()
            return try await BenchmarkQueue.with(deployment) { queue in
                var committed: [JobID: Timestamp] = [:]
                var enqueueTimes: [Double] = []
                let arrivals = OpenLoop(interval: Self.pause)
                for number in 0..<count + warmUp {
                    _ = try await arrivals.arrival(number)
                    let job = queue.noop(payload: NoopHandler.stampPayload)
                    let start = ContinuousClock.now
                    try await queue.submit(job)
                    let now = queue.clock.now
                    if number < warmUp { continue }
                    enqueueTimes.append(start.elapsed.milliseconds)
                    committed[job.id] = now
                }
                try await Self.drained(queue, count + warmUp)
                let rows = try await queue.pool.query(
                    """
                    SELECT id, result, (extract(epoch FROM started_at - created_at) * 1000000)::bigint FROM jobs
                    """
                ).decode(JobID.self, String.self, Int64.self)
                var (pickups, claims): ([Double], [Double]) = ([], [])
                for (id, result, claim) in rows {
                    guard let began = Int64(result), let commit = committed[id] else { continue }
                    pickups.append(Double(began - commit.microsecondsSince1970) / 1000)
                    claims.append(Double(claim) / 1000)
                }
                let (pickup, claim, enqueue) = (Percentiles(pickups), Percentiles(claims), Percentiles(enqueueTimes))
                return [
                    Figure("pickup average", pickup.mean, "ms", .atMost(1)), Figure("pickup p50", pickup.median, "ms"),
                    Figure("pickup p99", pickup[0.99], "ms", .atMost(3)),
                    Figure("pickup maximum", pickup.maximum, "ms"),
                    Figure("created → claimed p50", claim.median, "ms"),
                    Figure("created → claimed p99", claim[0.99], "ms"),
                    Figure("enqueue with commit p50", enqueue.median, "ms"),
                    Figure("enqueue with commit p99", enqueue[0.99], "ms"), Figure("samples", Double(pickup.count), ""),
                ]
            }
        }
    }

    private static func drained(_ queue: BenchmarkQueue, _ count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while try await queue.count("SELECT count(*) FROM jobs WHERE state IS NOT NULL") < Int64(count) {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkFailure(["jobs were left when the time was over"])
            }
            try await ContinuousClock().sleep(for: .milliseconds(50))
        }
    }
}
