// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Persistence
import Synchronization

/// What this process knows of configurations that are limited, blocked or in trouble: the rows of `providers`, as they
/// were a moment ago, and the blocks that this process set itself.
///
/// In memory, so that a call of a configuration without limits costs no statement. A row that changed is read again when
/// its notification comes, and every few seconds in any case.
package final class ProviderBoard: Sendable {
    /// Whether a configuration may be asked.
    package enum Verdict: Sendable, Hashable {
        case open
        /// Not for so long.
        case blocked(for: Duration, reason: ErrorCode)
        /// One call may find out; whether it is this one says the row.
        case probe
    }

    /// A configuration with a place of its own in the line.
    package struct Gate: Sendable, Hashable {
        /// Its number, above 0.
        package let number: Int16
        /// Whose it is.
        package let model: ModelID
        /// Empty when they were taken away: then everything behind it may go.
        package let limits: ProviderLimits
    }

    private struct Entry {
        var status: ProviderStatus
        var blockedUntil: ContinuousClock.Instant?
        var breakerUntil: ContinuousClock.Instant?

        var block: Block? {
            blockedUntil.map { Block(until: $0, reason: ErrorCode(rawValue: status.blockedReason) ?? .rateLimited) }
        }
    }

    private struct Block {
        var until: ContinuousClock.Instant
        var reason: ErrorCode
    }

    private struct State {
        var entries: [ModelID: Entry] = [:]
        /// Set here, and perhaps not yet read back.
        var ownBlocks: [ModelID: Block] = [:]
        /// Budgets that were found spent: worth nothing for a call, but for a claim.
        var shortages: [ModelID: Block] = [:]
    }

    private static let halfOpenWait: Duration = .seconds(1)
    private let state = Mutex(State())

    /// Knows nothing.
    package init() {}

    /// Takes in what was read.
    package func replace(_ statuses: [ProviderStatus], at now: ContinuousClock.Instant) {
        state.withLock { state in
            state.entries = [:]
            for status in statuses {
                state.entries[status.model] = Entry(
                    status: status, blockedUntil: status.blockedFor.map { now + $0 },
                    breakerUntil: status.breakerFor.map { now + $0 })
            }
            state.ownBlocks = state.ownBlocks.filter { $0.value.until > now }
            state.shortages = state.shortages.filter { $0.value.until > now }
        }
    }

    /// Blocks a configuration here at once.
    ///
    /// - Returns: whether the others have to be told: false when it is blocked that long already.
    package func block(_ model: ModelID, until: ContinuousClock.Instant, _ reason: ErrorCode) -> Bool {
        state.withLock { state in
            let known = Self.block(of: model, state)?.until
            // A crowd that was refused at once differs by milliseconds.
            if let known, known + .milliseconds(250) >= until { return false }
            state.ownBlocks[model] = Block(until: until, reason: reason)
            return true
        }
    }

    /// Whether a call may go out, as far as is known here.
    package func verdict(_ model: ModelID, at now: ContinuousClock.Instant) -> Verdict {
        state.withLock { Self.verdict(model, $0, now) }
    }

    /// The same for a job that was just claimed: a budget that was found spent a moment ago counts too.
    package func claimVerdict(_ model: ModelID, at now: ContinuousClock.Instant) -> Verdict {
        state.withLock { state in
            let verdict = Self.verdict(model, state, now)
            guard verdict == .open, let shortage = state.shortages[model], shortage.until > now else { return verdict }
            return .blocked(for: now.duration(to: shortage.until), reason: shortage.reason)
        }
    }

    /// A budget was found spent, or (`nil`) has room again.
    func noteShortage(_ model: ModelID, until: ContinuousClock.Instant?, _ reason: ErrorCode) {
        state.withLock { $0.shortages[model] = until.map { Block(until: $0, reason: reason) } }
    }

    /// A place has become free, here or elsewhere: whoever found none may look again. Of one configuration, or of all.
    func placesFreed(_ model: ModelID? = nil) {
        state.withLock { state in
            state.shortages = state.shortages.filter { $0.value.reason != .providerBusy || (model ?? $0.key) != $0.key }
        }
    }

    /// Whether a claim has to look at whose jobs it got.
    package var hasTrouble: Bool {
        state.withLock { state in
            !state.ownBlocks.isEmpty || !state.shortages.isEmpty
                || state.entries.values.contains { $0.blockedUntil != nil || $0.status.breaker != .closed }
        }
    }

    /// Whether a success has to be told to the row.
    func hasFailures(_ model: ModelID) -> Bool {
        state.withLock { state in
            state.entries[model].map { $0.status.failures > 0 || $0.status.breaker != .closed } ?? false
        }
    }

    /// Configurations with a place of their own in the line.
    package var gates: [Gate] {
        state.withLock { state in
            state.entries.values.compactMap { entry in
                entry.status.gate.map { Gate(number: $0, model: entry.status.model, limits: entry.status.limits) }
            }
        }
    }

    /// Where each known configuration's breaker and block stand, for metrics.
    func standing(at now: ContinuousClock.Instant) -> [(status: ProviderStatus, isBlocked: Bool)] {
        state.withLock { state in
            state.entries.values.map { entry in
                (entry.status, Self.block(of: entry.status.model, state).map { $0.until > now } ?? false)
            }
        }
    }

    /// The longer of what this process has met itself and what the others have written.
    private static func block(of model: ModelID, _ state: State) -> Block? {
        [state.ownBlocks[model], state.entries[model]?.block].compactMap(\.self).max { $0.until < $1.until }
    }

    private static func verdict(_ model: ModelID, _ state: State, _ now: ContinuousClock.Instant) -> Verdict {
        if let block = block(of: model, state), block.until > now {
            return .blocked(for: now.duration(to: block.until), reason: block.reason)
        }
        guard let entry = state.entries[model] else { return .open }
        switch entry.status.breaker {
        case .closed: return .open
        case .open:
            guard let until = entry.breakerUntil, until > now else { return .probe }
            return .blocked(for: now.duration(to: until), reason: .providerDown)
        case .halfOpen:
            guard let until = entry.breakerUntil, until > now else { return .probe }
            // The probe's answer is expected long before its time is over.
            return .blocked(for: min(now.duration(to: until), halfOpenWait), reason: .providerDown)
        }
    }
}
