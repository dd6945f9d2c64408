// SPDX-License-Identifier: Apache-2.0
import Jobs
package import Observability

/// What a worker counts.
package struct WorkerMetrics: Sendable {
    let staleEnds: Counter
    let claims: Counter
    let claimedJobs: Counter
    let rescuedJobs: Counter
    let selfFences: Counter
    let unknownLeases: Counter
    let runningJobs: Gauge
    private let ends: MetricFamily<Counter>
    private let runSeconds: MetricFamily<Histogram>

    /// Registers everything under `switchyard_worker_…` and `switchyard_jobs_…`.
    package init(_ registry: MetricsRegistry) {
        staleEnds = registry.counter(
            "switchyard_worker_stale_ends_total", help: "Ends of runs that were discarded: the lease was lost.")
        claims = registry.counter("switchyard_worker_claims_total", help: "Claim statements that were answered.")
        claimedJobs = registry.counter("switchyard_worker_claimed_jobs_total", help: "Jobs that claims returned.")
        rescuedJobs = registry.counter(
            "switchyard_worker_rescued_jobs_total", help: "Jobs put back or ended for dead workers.")
        selfFences = registry.counter(
            "switchyard_worker_self_fences_total", help: "Times all runs were aborted because no beat went through.")
        unknownLeases = registry.counter(
            "switchyard_worker_unknown_leases_total", help: "Leases given back because their claim's answer was lost.")
        runningJobs = registry.gauge("switchyard_worker_running_jobs", help: "Jobs that run in this process.")
        ends = registry.counter(
            "switchyard_jobs_ended_total", help: "Ends of runs by lane and kind of end.", labels: ["lane", "end"])
        runSeconds = registry.histogram(
            "switchyard_jobs_run_seconds", help: "Time from the start of a run to its end.", labels: ["lane"],
            buckets: Histogram.jobBounds)
    }

    func ran(_ job: ClaimedJob, end: RunEnd?, took duration: Duration) {
        ends.labels(job.lane.name, end.map(Self.label) ?? "aborted").increment()
        runSeconds.labels(job.lane.name).observe(duration)
    }

    private static func label(_ end: RunEnd) -> String {
        switch end {
        case .completed: "completed"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .again: "again"
        case .handedOver: "handed_over"
        }
    }
}
