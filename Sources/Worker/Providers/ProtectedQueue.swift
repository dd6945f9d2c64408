// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Observability
import Persistence

/// A queue whose claims leave out jobs that their provider could not take now.
///
/// Of a limited provider that everybody shares, a claim takes as many jobs as there are permits, and none while it is
/// blocked. Jobs of the others are claimed first and looked at then: those of a blocked provider go back to wait, all in
/// one statement and without an attempt spent, spread so that not all come back at one instant. The claim is repeated
/// until it has a job that may go; then the claimer is told to look again. So a blocked provider's backlog slows no
/// other's jobs.
package struct ProtectedQueue: JobSource {
    /// Between two jobs that come back.
    private static let spacing: Duration = .milliseconds(20)
    private static let longestSpread: Duration = .seconds(30)

    private let queue: any JobSource
    private let keeper: ProviderKeeper
    private let chooser: ModelChooser

    /// - Parameters:
    ///   - queue: the queue itself.
    ///   - keeper: knows what may be asked of whom.
    ///   - chooser: tells which model a job will ask.
    package init(_ queue: any JobSource, keeper: ProviderKeeper, chooser: ModelChooser) {
        self.queue = queue
        self.keeper = keeper
        self.chooser = chooser
    }

    /// See ``JobSource``. One statement more, and another claim, only while some provider is in trouble.
    package func claim(_ limit: ClaimLimit, worker: WorkerID) async throws(JobQueueError) -> [ClaimedJob] {
        let limit = ClaimLimit(
            total: limit.total, background: limit.background, gates: keeper.allowances(upTo: limit.total))
        while limit.total > 0 {
            let claimed = try await queue.claim(limit, worker: worker)
            keeper.promise(to: claimed)
            guard keeper.board.hasTrouble, !claimed.isEmpty else { return claimed }
            let kept = await withoutBlocked(claimed)
            if claimed.count < limit.total || kept.count == claimed.count { return kept }
            if kept.isEmpty { continue }
            // These start now; the rest of the slots is for the next claim.
            keeper.surroundings.wakeWorker()
            return kept
        }
        return []
    }

    private func withoutBlocked(_ claimed: [ClaimedJob]) async -> [ClaimedJob] {
        let models = await chooser.models(of: claimed)
        let now = ContinuousClock.now
        var waits: [(lease: Lease, least: Duration, reason: ErrorCode)] = []
        var probed: Set<ModelID> = []
        for job in claimed {
            guard let model = models[job.lease.job] else { continue }
            // One that came through its gate has a permit.
            let verdict =
                job.gate == GateAllowance.open
                ? keeper.board.claimVerdict(model, at: now) : keeper.board.verdict(model, at: now)
            switch verdict {
            case .open: continue
            case .blocked(let wait, let reason): waits.append((job.lease, wait, reason))
            // One goes to find out.
            case .probe: if !probed.insert(model).inserted { waits.append((job.lease, .seconds(1), .providerDown)) }
            }
        }
        if waits.isEmpty { return claimed }
        let spread = min(Self.spacing * waits.count, Self.longestSpread)
        let putOffs = waits.map { wait in
            PutOff(
                lease: wait.lease, delay: wait.least + spread * Double.random(in: 0...1), reason: wait.reason.rawValue)
        }
        let moved: Set<JobID>
        do throws(PersistenceError) { moved = try await keeper.store.putOff(putOffs) } catch {
            // They run and find out for themselves.
            keeper.logger.warning("jobs of a blocked provider could not be put off", [.errorDetail: "\(error)"])
            return claimed
        }
        for (reason, group) in Dictionary(grouping: putOffs.filter { moved.contains($0.lease.job) }, by: \.reason) {
            keeper.metrics.putOff(reason, group.count)
        }
        return claimed.filter { !moved.contains($0.lease.job) }
    }

    /// See ``JobSource``.
    package func persist() async throws(JobQueueError) { try await queue.persist() }
}
