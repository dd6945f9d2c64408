// SPDX-License-Identifier: Apache-2.0
import Jobs

/// When to look where lines begin, and which bounds follow from what was seen.
///
/// Claims have no bounds as long as they are fast. One that is slow makes suspicious: then the front of each line is
/// looked for. Only when that has to walk over much that is dead, and as long as it does, are there bounds: of the two
/// latest looks the lower front, so that a job which is stored while a look goes on does not lie below. What lies below
/// all the same (a retry, a higher priority, an enqueue whose commit took longer than a look's interval) the next look
/// finds.
struct LineFrontState {
    /// Between two looks, while they are called for: so much later may a job be found that lies below a bound.
    static let interval = Duration.seconds(1)
    /// A bound that no look has confirmed for so long is none.
    static let shelfLife = Duration.seconds(3)
    /// A look at lines whose dead entries were cleared away takes a tenth of it.
    static let longWalk = Duration.microseconds(500)
    private static let slowClaim = Duration.milliseconds(3)
    private static let perJob = Duration.microseconds(20)

    private var isSuspicious = false
    private var gates: Set<Int16> = [GateAllowance.open]
    private var previous: [Line: Int64]?
    private var bounds: ClaimBounds?
    private var looked: ContinuousClock.Instant?

    /// What to claim with: nil looks at everything.
    mutating func bounds(for limit: ClaimLimit, at now: ContinuousClock.Instant) -> ClaimBounds? {
        for allowance in limit.gates { gates.insert(allowance.gate) }
        return current(at: now)
    }

    /// A claim has been answered.
    mutating func claimTook(_ time: Duration, jobs: Int) {
        if time > Self.slowClaim + Self.perJob * jobs { isSuspicious = true }
    }

    /// The lines to look at now; none while claims are fast.
    var lines: [Line] {
        if !isSuspicious { return [] }
        return gates.sorted().flatMap { gate in Lane.allCases.map { Line(lane: $0.rawValue, gate: gate) } }
    }

    /// What a look found: the tag of the first job of each line, or the time where there is none, and what the server
    /// took for it.
    ///
    /// - Returns: the lanes in which claims have not seen the first job.
    mutating func looked(
        _ fronts: [Line: Int64], walk: Duration, at now: ContinuousClock.Instant
    ) -> Set<Lane> {
        let unseen = fronts.filter { front in current(at: now)?.fronts[front.key].map { front.value < $0 } ?? false }
        if walk > Self.longWalk {
            bounds = previous.map { previous in
                ClaimBounds(
                    fronts: fronts.reduce(into: [:]) { both, front in
                        if let earlier = previous[front.key] { both[front.key] = min(earlier, front.value) }
                    })
            }
            previous = fronts
        } else {
            (isSuspicious, bounds, previous) = (false, nil, nil)
        }
        looked = now
        return Set(unseen.keys.compactMap { Lane(rawValue: $0.lane) })
    }

    /// What holds now.
    func current(at now: ContinuousClock.Instant) -> ClaimBounds? {
        guard let looked, now - looked < Self.shelfLife else { return nil }
        return bounds
    }
}
