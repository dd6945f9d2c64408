// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
package import Observability

/// What a worker counts. Members of families are looked up once: a job's way through the worker meets only them.
package struct WorkerMetrics: Sendable {
    let staleEnds: Counter
    let rescuedJobs: Counter
    let selfFences: Counter
    let unknownLeases: Counter
    let missedWakeUps: Counter
    let slots: Gauge
    /// What ended in the last minutes; goes with the beats.
    let tally = RunTally()
    private let claimSizes: Histogram
    /// At the place of the lane's raw value.
    private let lanes: [LaneMetrics]

    /// Registers everything under `switchyard_worker_…` and `switchyard_jobs_…`.
    package init(_ registry: MetricsRegistry) {
        staleEnds = registry.counter(
            "switchyard_worker_stale_ends_total", help: "Ends of runs that were discarded: the lease was lost.")
        claimSizes = registry.histogram(
            "switchyard_worker_claim_jobs", help: "Jobs that a claim returned.", buckets: Histogram.sizeBounds)
        rescuedJobs = registry.counter(
            "switchyard_worker_rescued_jobs_total", help: "Jobs put back or ended for dead workers.")
        selfFences = registry.counter(
            "switchyard_worker_self_fences_total", help: "Times all runs were aborted because no beat went through.")
        unknownLeases = registry.counter(
            "switchyard_worker_unknown_leases_total", help: "Leases given back because their claim's answer was lost.")
        missedWakeUps = registry.counter(
            "switchyard_worker_missed_wakeups_total", help: "Claims that found jobs nobody had told of.")
        slots = registry.gauge("switchyard_worker_slots", help: "Jobs that this process may run at once.")
        lanes = LaneMetrics.all(registry)
    }

    func claimed(_ jobs: [ClaimedJob], at now: Timestamp) {
        claimSizes.observe(Double(jobs.count))
        for job in jobs where job.isFirstClaim {
            guard let since = job.waitingSince else { continue }
            self[job.lane].waits.observe(since.duration(to: now))
        }
    }

    func began(_ job: ClaimedJob) { self[job.lane].slotsInUse.increment() }

    func isOver(_ job: ClaimedJob) { self[job.lane].slotsInUse.decrement() }

    /// The work of a run is done, or is given up; its end is not written yet.
    func ran(_ job: ClaimedJob, end: RunEnd?, took duration: Duration) {
        let lane = self[job.lane]
        lane.ends[LaneMetrics.End(end).rawValue].increment()
        lane.runs.observe(duration)
    }

    /// The end of a run is in the database.
    func settled(_ job: ClaimedJob, as end: RunEnd, at now: Timestamp) {
        guard end.state.isEnd else { return }
        tally.ended(job.kind, job.lane, as: end.state)
        guard let since = job.waitingSince else { return }
        self[job.lane].totals.observe(since.duration(to: now))
    }

    private subscript(lane: Lane) -> LaneMetrics { lanes[Int(lane.rawValue)] }
}

/// The members of one lane.
private struct LaneMetrics: Sendable {
    /// How a run ended, by its place in ``ends``.
    enum End: Int, CaseIterable {
        case completed, failed, cancelled, again, handedOver, aborted

        init(_ end: RunEnd?) {
            self =
                switch end {
                case .completed: .completed
                case .failed: .failed
                case .cancelled: .cancelled
                case .again: .again
                case .handedOver: .handedOver
                case nil: .aborted
                }
        }

        var label: String { self == .handedOver ? "handed_over" : "\(self)" }
    }

    let slotsInUse: Gauge
    let ends: [Counter]
    let waits: Histogram
    let runs: Histogram
    let totals: Histogram

    static func all(_ registry: MetricsRegistry) -> [LaneMetrics] {
        let slotsInUse = registry.gauge(
            "switchyard_worker_slots_in_use", help: "Jobs that run in this process.", labels: ["lane"])
        let ends = registry.counter(
            "switchyard_jobs_ended_total", help: "Ends of runs by lane and kind of end.", labels: ["lane", "end"])
        let waits = registry.histogram(
            "switchyard_jobs_wait_seconds",
            help: "Time from a job's enqueue, or from when it was due, to its first claim.", labels: ["lane"],
            buckets: Histogram.latencyBounds + [300, 1800])
        let runs = registry.histogram(
            "switchyard_jobs_run_seconds", help: "Time from the start of a run to its end.", labels: ["lane"],
            buckets: Histogram.jobBounds)
        let totals = registry.histogram(
            "switchyard_jobs_total_seconds",
            help: "Time from a job's enqueue, or from when it was due, to its stored end.", labels: ["lane"],
            buckets: Histogram.jobBounds)
        return Lane.allCases.map { lane in
            LaneMetrics(
                slotsInUse: slotsInUse.labels(lane.name), ends: End.allCases.map { ends.labels(lane.name, $0.label) },
                waits: waits.labels(lane.name), runs: runs.labels(lane.name), totals: totals.labels(lane.name))
        }
    }
}

extension Timestamp {
    /// How much later another moment is; zero when a clock makes it look earlier.
    func duration(to later: Timestamp) -> Duration {
        .microseconds(max(0, later.microsecondsSince1970 - microsecondsSince1970))
    }
}
