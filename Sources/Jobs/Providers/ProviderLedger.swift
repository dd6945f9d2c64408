// SPDX-License-Identifier: Apache-2.0
package import Chat

/// The right to begin one call.
package struct CallPermit: Sendable, Hashable {
    /// Where its request and tokens were taken.
    package var slot: Int64
    /// What was reserved of the token budget.
    package var reservedTokens: Int64

    /// See the properties.
    package init(slot: Int64, reservedTokens: Int64) {
        self.slot = slot
        self.reservedTokens = reservedTokens
    }
}

/// What a process wants of a configuration's budgets, and what it has to say.
package struct PermitWish: Sendable, Hashable {
    /// The tokens of each call that waits, oldest first.
    package var calls: [Int64]
    /// Further calls of so many tokens that are likely to come; granted only out of plenty.
    package var ahead: Int
    /// Tokens of each of them.
    package var tokensAhead: Int64
    /// Places for calls at once that the process has and does not use: taken before new ones.
    package var idlePlaces: Int
    /// Places that it gives back.
    package var returnedPlaces: Int
    /// Requests and tokens to be given back, or taken in addition, by slot.
    package var corrections: [Correction]
    /// What the provider said is left, if it said so a moment ago.
    package var reported: ReportedBudget

    /// A change of what was taken.
    package struct Correction: Sendable, Hashable {
        /// Where it was taken.
        package var slot: Int64
        /// Negative gives back.
        package var requests: Int64
        /// Negative gives back.
        package var tokens: Int64

        /// See the properties.
        package init(slot: Int64, requests: Int64, tokens: Int64) {
            self.slot = slot
            self.requests = requests
            self.tokens = tokens
        }
    }

    /// Wants and says nothing unless given.
    package init(
        calls: [Int64] = [], ahead: Int = 0, tokensAhead: Int64 = 0, idlePlaces: Int = 0, returnedPlaces: Int = 0,
        corrections: [Correction] = [], reported: ReportedBudget = ReportedBudget()
    ) {
        self.calls = calls
        self.ahead = ahead
        self.tokensAhead = tokensAhead
        self.idlePlaces = idlePlaces
        self.returnedPlaces = returnedPlaces
        self.corrections = corrections
        self.reported = reported
    }
}

/// What a provider says is left of its own budgets.
package struct ReportedBudget: Sendable, Hashable {
    /// Requests left.
    package var remainingRequests: Int64?
    /// Tokens left.
    package var remainingTokens: Int64?

    /// Nothing said unless given.
    package init(remainingRequests: Int64? = nil, remainingTokens: Int64? = nil) {
        self.remainingRequests = remainingRequests
        self.remainingTokens = remainingTokens
    }
}

/// What a process got.
package struct PermitGrant: Sendable, Hashable {
    /// Why not everything was granted.
    package enum Shortage: String, Sendable, Hashable {
        /// As many calls are under way as may be.
        case places
        case requests
        case tokens
    }

    /// One for each call that can go: first those that waited, then those ahead.
    package var permits: [CallPermit]
    /// New places for calls at once; the process has them until it gives them back.
    package var places: Int
    /// Set when a waiting call got nothing, with the wait after which it is worth asking again.
    package var shortage: Shortage?
    /// Zero without a shortage.
    package var wait: Duration
    /// What is left after the grant, for metrics; `nil` where there is no limit.
    package var remainingRequests: Int64?
    /// As `remainingRequests`.
    package var remainingTokens: Int64?
    /// Whether a place that was given back is missed by another process.
    package var isMissed: Bool

    /// See the properties.
    package init(permits: [CallPermit] = [], places: Int = 0, shortage: Shortage? = nil, wait: Duration = .zero) {
        self.permits = permits
        self.places = places
        self.shortage = shortage
        self.wait = wait
        isMissed = false
    }
}

/// A configuration's limits and what is taken of them: the row, as a value. Pure; read, changed and written back under
/// the row's lock.
package struct ProviderLedger: Sendable, Hashable {
    /// How long a process that found no place waits if nobody tells it of one.
    private static let placeWait: Duration = .seconds(1)

    /// What holds for all processes together.
    package var limits: ProviderLimits
    /// Requests begun.
    package var requests: BudgetWindow
    /// Tokens reserved and used.
    package var tokens: BudgetWindow
    /// Somebody was refused a place since one was last given back.
    package var isPlaceWanted: Bool

    /// Unused unless given.
    package init(
        limits: ProviderLimits, requests: BudgetWindow = BudgetWindow(), tokens: BudgetWindow = BudgetWindow(),
        isPlaceWanted: Bool = false
    ) {
        self.limits = limits
        self.requests = requests
        self.tokens = tokens
        self.isPlaceWanted = isPlaceWanted
    }

    /// Takes in what a process says and grants what can be granted.
    ///
    /// - Parameters:
    ///   - wish: the process's.
    ///   - placesInUse: of all processes, the asking one's after its returns included.
    ///   - now: by the database's clock.
    ///   - rules: how long what was taken counts.
    /// - Returns: what was granted of it.
    package mutating func exchange(
        _ wish: PermitWish, placesInUse: Int, at now: Timestamp, _ rules: BudgetRules
    ) -> PermitGrant {
        requests.advance(to: now, rules)
        tokens.advance(to: now, rules)
        let slot = rules.slot(at: now)
        for correction in wish.corrections {
            requests.add(correction.requests, inSlot: correction.slot)
            // What was used beyond its reservation counts where it still does.
            tokens.add(correction.tokens, inSlot: correction.tokens > 0 ? slot : correction.slot)
        }
        charge(wish.reported, inSlot: slot)

        var grant = PermitGrant()
        if wish.returnedPlaces > 0 && isPlaceWanted {
            grant.isMissed = true
            isPlaceWanted = false
        }
        var free = limits.maximumConcurrent.map { max(0, $0 - placesInUse) }
        // A limit that was lowered takes idle places first.
        var idle = max(0, wish.idlePlaces - max(0, placesInUse - (limits.maximumConcurrent ?? placesInUse)))
        for (index, needed) in (wish.calls + Array(repeating: wish.tokensAhead, count: wish.ahead)).enumerated() {
            let isAhead = index >= wish.calls.count
            if let (shortage, wait) = self.shortage(of: needed, idle: idle, free: free, isAhead, at: now, rules) {
                if isAhead { break }
                if shortage == .places { isPlaceWanted = true }
                (grant.shortage, grant.wait) = (shortage, wait)
                break
            }
            if limits.maximumConcurrent != nil {
                if idle > 0 {
                    idle -= 1
                } else {
                    free = free.map { $0 - 1 }
                    grant.places += 1
                }
            }
            if limits.requestsPerMinute != nil { requests.add(1, inSlot: slot) }
            let reserved = limits.tokensPerMinute == nil ? 0 : needed
            if reserved > 0 { tokens.add(reserved, inSlot: slot) }
            grant.permits.append(CallPermit(slot: slot, reservedTokens: reserved))
        }
        grant.remainingRequests = limits.requestsPerMinute.map { max(0, Int64($0) - requests.used) }
        grant.remainingTokens = limits.tokensPerMinute.map { max(0, Int64($0) - tokens.used) }
        return grant
    }

    /// What is missing for one more call. Calls ahead are granted while no more than half of a budget is taken.
    private func shortage(
        of needed: Int64, idle: Int, free: Int?, _ isAhead: Bool, at now: Timestamp, _ rules: BudgetRules
    ) -> (PermitGrant.Shortage, Duration)? {
        if idle == 0, let free, free == 0 { return (.places, Self.placeWait) }
        let share: Int64 = isAhead ? 2 : 1
        if let limit = limits.requestsPerMinute {
            let wait = requests.wait(for: 1, limit: max(1, Int64(limit) / share), at: now, rules)
            if wait > .zero { return (.requests, wait) }
        }
        if let limit = limits.tokensPerMinute {
            let wait = tokens.wait(for: needed, limit: max(1, Int64(limit) / share), at: now, rules)
            if wait > .zero { return (.tokens, wait) }
        }
        return nil
    }

    /// The provider has less left than we think: others use the same key, or the limit set here is above its own. The
    /// difference counts as taken now.
    private mutating func charge(_ reported: ReportedBudget, inSlot slot: Int64) {
        if let limit = limits.requestsPerMinute, let left = reported.remainingRequests {
            let excess = Int64(limit) - requests.used - max(0, left)
            if excess > 0 { requests.add(excess, inSlot: slot) }
        }
        if let limit = limits.tokensPerMinute, let left = reported.remainingTokens {
            let excess = Int64(limit) - tokens.used - max(0, left)
            if excess > 0 { tokens.add(excess, inSlot: slot) }
        }
    }
}
