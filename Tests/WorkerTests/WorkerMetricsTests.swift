// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Testing

@testable import Worker

struct WorkerMetricsTests {
    private let registry = MetricsRegistry()
    private let now = WorkerFixture.now

    private func value(_ sample: String) -> String? {
        registry.prometheusText().split(separator: "\n").first { $0.hasPrefix(sample + " ") }
            .map { String($0.dropFirst(sample.count + 1)) }
    }

    @Test func `a job's first claim tells how long it waited, later ones do not`() {
        let metrics = WorkerMetrics(registry)
        let since = now.advanced(by: .seconds(-2))
        metrics.claimed(
            [
                WorkerFixture.claimed(waitingSince: since, isFirstClaim: true),
                WorkerFixture.claimed(waitingSince: since, isFirstClaim: false),
                WorkerFixture.claimed(isFirstClaim: true),
                // A clock that went back since.
                WorkerFixture.claimed(waitingSince: now.advanced(by: .seconds(1)), isFirstClaim: true),
            ], at: now)
        metrics.claimed([], at: now)
        #expect(value(#"switchyard_jobs_wait_seconds_count{lane="chat"}"#) == "2")
        #expect(value(#"switchyard_jobs_wait_seconds_sum{lane="chat"}"#) == "2")
        #expect(value("switchyard_worker_claim_jobs_count") == "2")
        #expect(value("switchyard_worker_claim_jobs_sum") == "4")
    }

    static let ends: [(end: RunEnd?, label: String, isEnd: Bool)] = [
        (.completed(result: nil), "completed", true), (.cancelled, "cancelled", true),
        (.failed(JobFailure(.fatal, .internalError, "")), "failed", true),
        (
            .again(after: .zero, attemptSpent: true, hadOutput: false, failure: JobFailure(.retry, .internalError, "")),
            "again", false
        ),
        (.handedOver(hadOutput: false), "handed_over", false), (nil, "aborted", false),
    ]

    @Test(arguments: ends.indices)
    func `each end of a run has its label and only real ends have a total time`(row: Int) {
        let (end, label, isEnd) = Self.ends[row]
        let metrics = WorkerMetrics(registry)
        let job = WorkerFixture.claimed(waitingSince: now.advanced(by: .seconds(-3)), isFirstClaim: true)
        metrics.ran(job, end: end, took: .seconds(1))
        if let end { metrics.settled(job, as: end, at: now) }
        for (_, other, _) in Self.ends {
            #expect(
                value(#"switchyard_jobs_ended_total{lane="chat",end="\#(other)"}"#) == (other == label ? "1" : "0"))
        }
        #expect(value(#"switchyard_jobs_run_seconds_sum{lane="chat"}"#) == "1")
        #expect(value(#"switchyard_jobs_total_seconds_count{lane="chat"}"#) == (isEnd ? "1" : "0"))
        #expect(value(#"switchyard_jobs_total_seconds_sum{lane="chat"}"#) == (isEnd ? "3" : "0"))
    }

    @Test func `slots in use are told by lane`() {
        let metrics = WorkerMetrics(registry)
        let job = WorkerFixture.claimed()
        metrics.began(job)
        metrics.began(job)
        metrics.isOver(job)
        #expect(value(#"switchyard_worker_slots_in_use{lane="chat"}"#) == "1")
        #expect(value(#"switchyard_worker_slots_in_use{lane="embedding"}"#) == "0")
    }
}
