// SPDX-License-Identifier: Apache-2.0

/// What one process holds of one configuration's budgets. Pure: the caller keeps it under a lock, makes the draws it
/// asks for, one at a time, and tells what came of them.
///
/// A call takes a spare permit at once or waits for one draw, never longer: what the draw does not grant is refused, and
/// the job goes back to wait in line. Spare permits are only drawn ahead where the limits are wide, and expire.
package struct PermitPool: Sendable {
    /// Names a waiting call.
    package typealias Caller = UInt64

    /// Why a call got nothing.
    package struct Refusal: Error, Sendable, Hashable {
        /// `nil`: the database did not answer.
        package var shortage: PermitGrant.Shortage?
        /// When it is worth asking again.
        package var wait: Duration

        /// See the properties.
        package init(shortage: PermitGrant.Shortage?, wait: Duration) {
            self.shortage = shortage
            self.wait = wait
        }
    }

    /// What became of a call's wish at once.
    package enum Taken: Sendable, Hashable {
        case granted(UsablePermit)
        /// Told by ``drawn(_:sentAt:_:)`` or ``drawFailed()``.
        case waits
        /// Too many wait already.
        case refused(Refusal)
    }

    /// A permit in the hands of this process.
    package struct UsablePermit: Sendable, Hashable {
        /// What was taken.
        package let permit: CallPermit
        /// The call must have begun by then.
        package let usableUntil: ContinuousClock.Instant
    }

    /// Calls that wait for one draw; a worker has no more slots than this.
    private static let maximumWaiting = 10_000
    /// Waiting calls that one draw asks for.
    private static let drawSize = 256
    private static let failureWait: Duration = .seconds(1)

    /// As of the configuration's last use here; only tells what to draw ahead.
    package var limits: ProviderLimits
    private let rules: BudgetRules
    /// Places for calls at once, as far as this process knows what its row says.
    private var places = 0
    private var callsUnderWay = 0
    /// Ended otherwise than whole, since the last tick and before it: the provider may not have noticed yet.
    private var coolingCalls = 0
    private var coldCalls = 0
    private var drawCount = 0
    private var spare: [UsablePermit] = []
    private var promised = 0
    private var waiting: [(caller: Caller, tokens: Int64)] = []
    private var wantedAhead = 0
    private var typicalTokens: Int64 = 0
    private var corrections: [PermitWish.Correction] = []
    private var reported = ReportedBudget()
    /// The callers of the draw that is under way.
    private var drawsOut: [Caller]?

    /// Holds nothing.
    package init(limits: ProviderLimits, rules: BudgetRules) {
        self.limits = limits
        self.rules = rules
    }

    /// Whether it holds nothing and has nothing to say: it can be forgotten.
    package var isIdle: Bool {
        places == 0 && callsUnderWay == 0 && coolingCalls + coldCalls == 0 && spare.isEmpty && waiting.isEmpty
            && corrections.isEmpty && drawsOut == nil
    }

    /// Jobs that may be claimed for the permits at hand.
    package var allowance: Int { max(0, min(spare.count, isPlaceLimited ? freePlaces : .max) - promised) }

    /// How many draws were made: a figure read from the row between two draws is of use only if none began meanwhile.
    package var drawMark: Int { drawsOut == nil ? drawCount : -1 }
    /// Until when a permit that a draw brought may be used.
    private func useBy(sentAt: ContinuousClock.Instant) -> ContinuousClock.Instant { sentAt + rules.slotWidth }

    private var isPlaceLimited: Bool { limits.maximumConcurrent != nil }
    private var freePlaces: Int { max(0, places - callsUnderWay - coolingCalls - coldCalls) }

    /// A call wants to go out.
    package mutating func take(_ caller: Caller, tokens: Int64, at now: ContinuousClock.Instant) -> Taken {
        expire(at: now)
        typicalTokens = tokens
        if promised > 0 { promised -= 1 }
        if !isPlaceLimited || freePlaces > 0,
            let index = spare.firstIndex(where: { $0.permit.reservedTokens >= tokens || limits.tokensPerMinute == nil })
        {
            callsUnderWay += 1
            return .granted(spare.remove(at: index))
        }
        guard waiting.count < Self.maximumWaiting else {
            return .refused(Refusal(shortage: nil, wait: Self.failureWait))
        }
        waiting.append((caller, tokens))
        return .waits
    }

    /// A waiting call was given up. One whose draw is out is granted and handed back by ``drawn(_:sentAt:_:)``.
    package mutating func giveUp(_ caller: Caller) {
        waiting.removeAll { $0.caller == caller }
    }

    /// Jobs of this configuration stand in line, and free slots for them exist.
    package mutating func wantAhead(_ count: Int) {
        wantedAhead = max(0, min(count, Self.drawSize))
    }

    /// So many jobs were claimed for the permits at hand.
    package mutating func promise(_ count: Int) {
        promised = min(spare.count, promised + count)
    }

    /// A call is over.
    ///
    /// - Parameters:
    ///   - permit: the one it took.
    ///   - usedTokens: what it really took; `nil` when that is not known: then the reservation stands.
    ///   - wasSent: false when the provider was never asked; then its request is given back.
    ///   - isWhole: whether the provider knows that it is over.
    package mutating func finished(_ permit: CallPermit, usedTokens: Int64?, wasSent: Bool, isWhole: Bool) {
        callsUnderWay = max(0, callsUnderWay - 1)
        if !isWhole { coolingCalls += 1 }
        let used = wasSent ? usedTokens ?? permit.reservedTokens : 0
        correct(permit.slot, requests: wasSent ? 0 : -1, tokens: used - permit.reservedTokens)
    }

    /// What an answer's header said is left; the least since the last draw counts.
    package mutating func heard(_ budget: ReportedBudget) {
        func least(_ old: Int64?, _ new: Int64?) -> Int64? { [old, new].compactMap(\.self).min() }
        reported.remainingRequests = least(reported.remainingRequests, budget.remainingRequests)
        reported.remainingTokens = least(reported.remainingTokens, budget.remainingTokens)
    }

    /// Once a slot's width: expires what was not used, frees the places of calls that were cut.
    package mutating func tick(at now: ContinuousClock.Instant) {
        (coldCalls, coolingCalls) = (coolingCalls, 0)
        expire(at: now)
    }

    /// What is to be drawn now; `nil` while a draw is out or nothing is to be said.
    ///
    /// With `isTick` corrections are sent by themselves. With `keepsPlaces` a place that is free stays until the next tick:
    /// jobs that need it may stand in line.
    package mutating func nextDraw(isTick: Bool, keepsPlaces: Bool = false) -> PermitWish? {
        guard drawsOut == nil else { return nil }
        let asking = waiting.prefix(Self.drawSize)
        let ahead = asking.isEmpty && wantedAhead == 0 ? 0 : cushion
        // Jobs in line are asked for like calls: each of them is one in a moment.
        let inLine = max(0, wantedAhead - spare.count)
        let isPlain = asking.isEmpty && inLine == 0
        let surplus =
            isPlaceLimited && isPlain && (isTick || !keepsPlaces)
            ? max(0, freePlaces - spare.count - idleAllowed(isTick: isTick)) : 0
        let hasNews = surplus > 0 || (isTick && !corrections.isEmpty)
        wantedAhead = 0
        if isPlain && !hasNews { return nil }
        places -= surplus
        let wish = PermitWish(
            calls: asking.map(\.tokens) + Array(repeating: typicalTokens, count: inLine), ahead: ahead,
            tokensAhead: typicalTokens, idlePlaces: max(0, freePlaces - spare.count), returnedPlaces: surplus,
            corrections: corrections, reported: reported)
        corrections = []
        reported = ReportedBudget()
        drawsOut = asking.map(\.caller)
        drawCount += 1
        return wish
    }

    /// A draw was answered.
    ///
    /// - Parameters:
    ///   - grant: what the row gave.
    ///   - sentAt: when the draw was sent: permits are not used later than a slot's width after it.
    ///   - now: the present.
    /// - Returns: what each waiting call got.
    package mutating func drawn(
        _ grant: PermitGrant, sentAt: ContinuousClock.Instant, at now: ContinuousClock.Instant
    ) -> [(Caller, Result<UsablePermit, Refusal>)] {
        guard let callers = drawsOut else { return [] }
        drawsOut = nil
        places += grant.places
        var permits = grant.permits[...]
        var answers: [(Caller, Result<UsablePermit, Refusal>)] = []
        let isLate = now - sentAt >= rules.slotWidth
        let stillWaiting = Set(waiting.map(\.caller))
        for caller in callers {
            let permit = permits.popFirst()
            guard stillWaiting.contains(caller) else {
                // Given up meanwhile: the next one may have it.
                if let permit { spare.append(UsablePermit(permit: permit, usableUntil: useBy(sentAt: sentAt))) }
                continue
            }
            if let permit, !isLate {
                callsUnderWay += 1
                answers.append((caller, .success(UsablePermit(permit: permit, usableUntil: useBy(sentAt: sentAt)))))
            } else {
                if let permit { correct(permit.slot, requests: -1, tokens: -permit.reservedTokens) }
                let wait = permit == nil ? grant.wait : .milliseconds(100)
                answers.append((caller, .failure(Refusal(shortage: grant.shortage ?? .requests, wait: wait))))
            }
        }
        waiting.removeAll { callers.contains($0.caller) }
        for permit in permits { spare.append(UsablePermit(permit: permit, usableUntil: useBy(sentAt: sentAt))) }
        expire(at: now)
        return answers
    }

    /// A draw got no answer. Whether it was granted is unknown: what it may have taken stays taken, what it may have
    /// given back is not used any more. How many places the row then shows is told by ``held(_:since:)``.
    ///
    /// - Returns: what each waiting call got.
    package mutating func drawFailed() -> [(Caller, Result<UsablePermit, Refusal>)] {
        guard let callers = drawsOut else { return [] }
        drawsOut = nil
        let known = Set(waiting.map(\.caller))
        waiting.removeAll { callers.contains($0.caller) }
        return callers.filter(known.contains).map {
            ($0, .failure(Refusal(shortage: nil, wait: Self.failureWait)))
        }
    }

    /// The row says how many places are this process's. Fewer than in use means that others took it for dead. `mark` is
    /// ``drawMark`` as it was before the row was read.
    package mutating func held(_ count: Int, since mark: Int) {
        if mark >= 0 && mark == drawMark { places = count }
    }

    private mutating func expire(at now: ContinuousClock.Instant) {
        for old in spare where old.usableUntil <= now {
            correct(old.permit.slot, requests: -1, tokens: -old.permit.reservedTokens)
        }
        spare.removeAll { $0.usableUntil <= now }
        promised = min(promised, spare.count)
    }

    private mutating func correct(_ slot: Int64, requests: Int64, tokens: Int64) {
        if (requests == 0 || limits.requestsPerMinute == nil) && (tokens == 0 || limits.tokensPerMinute == nil) {
            return
        }
        if let index = corrections.firstIndex(where: { $0.slot == slot && ($0.tokens > 0) == (tokens > 0) }) {
            corrections[index].requests += requests
            corrections[index].tokens += tokens
        } else {
            corrections.append(PermitWish.Correction(slot: slot, requests: requests, tokens: tokens))
        }
    }

    /// Calls to draw ahead: what a process of a busy cluster needs in a tenth of a second, and nothing where the limit is
    /// so tight that it would be another's share.
    private var cushion: Int {
        let byRequests = limits.requestsPerMinute.map { $0 / 600 }
        let byPlaces = limits.maximumConcurrent.map { $0 / 16 }
        let byTokens = limits.tokensPerMinute.map { typicalTokens > 0 ? Int(Int64($0) / 600 / typicalTokens) : 0 }
        return min(64, [byRequests, byPlaces, byTokens].compactMap(\.self).min() ?? 0)
    }

    /// Unused places to keep for the next call.
    private func idleAllowed(isTick: Bool) -> Int {
        isTick ? 0 : (limits.maximumConcurrent ?? 0) / 16
    }
}
