// SPDX-License-Identifier: Apache-2.0
import Chat
package import Jobs
import Synchronization

/// What this process runs, so that a cancel, a beat or the shutdown can reach it.
package final class RunRegistry: Sendable {
    private struct State {
        /// The last run of each job, and its lease.
        var latest: [JobID: (number: Int64, abort: AbortSignal)] = [:]
        /// Earlier runs of the same jobs that have not ended yet: nearly always none.
        var earlier: [Lease: AbortSignal] = [:]
        var claimsInFlight = 0
        var claimEpoch: UInt64 = 0

        var count: Int { latest.count + earlier.count }

        subscript(lease: Lease) -> AbortSignal? {
            if let last = latest[lease.job], last.number == lease.number { return last.abort }
            return earlier.isEmpty ? nil : earlier[lease]
        }

        func runs(where isWanted: (Lease) -> Bool) -> [AbortSignal] {
            latest.filter { isWanted(Lease(job: $0.key, number: $0.value.number)) }.map(\.value.abort)
                + earlier.filter { isWanted($0.key) }.map(\.value)
        }

        /// No claim was under way since then.
        func isQuiet(since mark: ClaimMark) -> Bool {
            mark.wasIdle && claimsInFlight == 0 && claimEpoch == mark.epoch
        }
    }

    private let state = Mutex(State())

    /// Empty.
    package init() {}

    /// How many run.
    package var count: Int { state.withLock { $0.count } }

    /// A job that this process lost and claimed again may still run here under its earlier lease: that run is aborted,
    /// and has its slot until it has ended.
    func add(_ lease: Lease) -> AbortSignal {
        let abort = AbortSignal()
        let earlier = state.withLock { state -> AbortSignal? in
            guard let earlier = state.latest.updateValue((lease.number, abort), forKey: lease.job) else { return nil }
            state.earlier[Lease(job: lease.job, number: earlier.number)] = earlier.abort
            return earlier.abort
        }
        earlier?.abort(.leaseLost)
        return abort
    }

    func remove(_ lease: Lease) {
        state.withLock { state in
            if let index = state.latest.index(forKey: lease.job), state.latest[index].value.number == lease.number {
                state.latest.remove(at: index)
            } else {
                state.earlier[lease] = nil
            }
        }
    }

    /// Aborts one run, when it is still under this lease.
    package func abort(_ lease: Lease, _ reason: AbortReason) {
        state.withLock { $0[lease] }?.abort(reason)
    }

    /// Aborts every run.
    package func abortAll(_ reason: AbortReason) {
        for abort in state.withLock({ $0.runs { _ in true } }) { abort.abort(reason) }
    }

    func claimBegins() {
        state.withLock { $0.claimsInFlight += 1 }
    }

    /// To be called once the claimed jobs are in the registry.
    func claimEnds() {
        state.withLock { state in
            state.claimsInFlight -= 1
            state.claimEpoch += 1
        }
    }

    /// Where claims stand, to be taken before asking the database what it believes this process to hold.
    package func claimMark() -> ClaimMark {
        state.withLock { ClaimMark(epoch: $0.claimEpoch, wasIdle: $0.claimsInFlight == 0) }
    }

    /// Leases that the database gave us and nobody here knows: neither run, nor explained by a claim that was
    /// under way since the mark.
    package func unknown(among held: [Lease], since mark: ClaimMark) -> [Lease] {
        state.withLock { state in
            state.isQuiet(since: mark) ? held.filter { state[$0] == nil } : []
        }
    }

    /// Aborts what runs here without a lease: it was ended from outside, or a crash took its claim back, and a run that
    /// waits for its provider would not notice. None while a claim may explain it; one that is just writing its end is
    /// not disturbed.
    package func abortLost(held: [Lease], since mark: ClaimMark) {
        let lost = state.withLock { state in
            guard state.isQuiet(since: mark), state.count > 0 else { return [AbortSignal]() }
            let held = Set(held)
            return state.runs { !held.contains($0) }
        }
        for abort in lost { abort.abort(.leaseLost) }
    }
}

/// A moment in the sequence of claims.
package struct ClaimMark: Sendable, Hashable {
    let epoch: UInt64
    let wasIdle: Bool
}
