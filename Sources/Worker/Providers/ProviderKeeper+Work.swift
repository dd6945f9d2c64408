// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Synchronization

extension ProviderKeeper {
    func perform(_ item: Work) async {
        do throws(PersistenceError) {
            switch item {
            case .draw(let model, let isTick): await draw(model, isTick: isTick)
            case .failed(let model): try await tellFailure(model)
            case .succeeded(let model):
                try await store.succeeded(model)
                try await refresh()
                surroundings.tellOthers()
                logger.info("a provider answers again", [.reason: "\(label(model))"])
            case .probeLetGo(let model):
                try await store.letGo(model)
                try await refresh()
                surroundings.tellOthers()
            case .block(let model, let duration, let reason):
                try await store.block(model, for: duration, reason: reason.rawValue, limits: limits(model))
                surroundings.tellOthers()
            case .refresh:
                state.withLock { $0.isRefreshDue = false }
                try await refresh()
                board.placesFreed()
                lineChanged()
            case .lookAtLine:
                state.withLock { $0.isLookDue = false }
                try await lookAtLine()
            }
        } catch {
            logger.warning("what providers may be asked could not be kept", [.errorDetail: "\(error)"])
        }
    }

    func limits(_ model: ModelID) -> ProviderLimits {
        state.withLock { $0.known[model]?.limits ?? ProviderLimits() }
    }

    private func refresh() async throws(PersistenceError) {
        let statuses = try await store.statuses()
        board.replace(statuses, at: .now)
        state.withLock { state in
            state.lastRefresh = .now
            // A gate belongs to a configuration that everybody shares.
            for status in statuses where status.gate != nil && state.known[status.model] == nil {
                state.known[status.model] = (status.limits, status.model.description)
            }
        }
        showStanding()
    }

    /// Sets the gauges, also of those that were shown and have no row to be read any more: they are in no trouble. Under
    /// the lock, because refreshes may overlap.
    private func showStanding() {
        state.withLock { state in
            var shown: Set<String> = []
            for (status, isBlocked) in board.standing(at: .now) {
                guard let name = state.known[status.model]?.label, name != ProviderMetrics.personal else { continue }
                shown.insert(name)
                metrics.standing(
                    name,
                    limits: [
                        ("places", status.limits.maximumConcurrent), ("requests", status.limits.requestsPerMinute),
                        ("tokens", status.limits.tokensPerMinute),
                    ], isBlocked: isBlocked, breaker: status.breaker.rawValue)
            }
            for name in state.shown.subtracting(shown) {
                metrics.standing(name, limits: [], isBlocked: false, breaker: CircuitBreaker.State.closed.rawValue)
            }
            state.shown = shown
        }
    }

    private func tellFailure(_ model: ModelID) async throws(PersistenceError) {
        let breaker = try await store.failed(model, limits: limits(model), jitter: .random(in: 0...1))
        try await refresh()
        guard breaker.state == .open else { return }
        surroundings.tellOthers()
        logger.warning(
            "a provider fails and is left alone", [.reason: "\(label(model))", .count: "\(breaker.openings)"])
    }

    /// Makes one draw and hands out what it brought.
    private func draw(_ model: ModelID, isTick: Bool) async {
        let isGated = board.gates.contains { $0.model == model }
        guard
            let (wish, limits) = state.withLock({ state in
                state.pools[model]?.nextDraw(isTick: isTick, keepsPlaces: isGated).map {
                    ($0, state.pools[model]?.limits)
                }
            }), let limits
        else { return }
        let sentAt = ContinuousClock.now
        let grant: PermitGrant?
        do throws(PersistenceError) {
            grant = try await store.exchange(wish, of: model, worker: id, limits: limits)
        } catch {
            logger.warning("a provider's budget could not be drawn from", [.errorDetail: "\(error)"])
            grant = nil
        }
        metrics.draws.increment()
        let (answers, hasSpare) = state.withLock { state in
            let answers =
                if let grant { state.pools[model]?.drawn(grant, sentAt: sentAt, at: .now) } else {
                    state.pools[model]?.drawFailed()
                }
            return (
                (answers ?? []).map { (state.callers.removeValue(forKey: $0.0), $0.1) },
                (state.pools[model]?.allowance ?? 0) > 0
            )
        }
        note(grant, of: model)
        for (caller, answer) in answers { caller?.resume(returning: answer) }
        if hasSpare { surroundings.wakeWorker() }
        // What came meanwhile.
        enqueue(.draw(model, isTick: false))
    }

    private func note(_ grant: PermitGrant?, of model: ModelID) {
        guard let grant else { return }
        metrics.left(label(model), requests: grant.remainingRequests, tokens: grant.remainingTokens)
        if grant.isMissed { surroundings.tellOthers() }
        if let shortage = grant.shortage {
            board.noteShortage(model, until: .now + grant.wait, shortage == .places ? .providerBusy : .rateLimited)
        } else if !grant.permits.isEmpty {
            board.noteShortage(model, until: nil, .providerBusy)
        }
    }

    /// How many jobs a claim may take of each limited configuration that everybody shares.
    func allowances(upTo total: Int) -> [GateAllowance] {
        let now = ContinuousClock.now
        return board.gates.compactMap { gate in
            let held = gate.limits.isEmpty ? total : state.withLock { $0.pools[gate.model]?.allowance ?? 0 }
            return switch board.verdict(gate.model, at: now) {
            case .open: GateAllowance(gate: gate.number, atMost: held)
            case .probe: GateAllowance(gate: gate.number, atMost: min(held, 1))
            case .blocked: nil
            }
        }
    }

    /// Jobs were claimed for permits at hand, which the next claim must not count again.
    func promise(to claimed: [ClaimedJob]) {
        guard claimed.contains(where: { $0.gate != GateAllowance.open }) else { return }
        for gate in board.gates {
            let count = claimed.count { $0.gate == gate.number }
            if count > 0 { state.withLock { $0.pools[gate.model]?.promise(count) } }
        }
    }

    /// Draws for the jobs that stand behind gates: a claim takes no more of them than there are permits.
    private func lookAtLine() async throws(PersistenceError) {
        state.withLock { $0.lastLook = .now }
        let now = ContinuousClock.now
        let gates = board.gates.filter { gate in
            !gate.limits.isEmpty
                && (board.claimVerdict(gate.model, at: now) == .open
                    || board.verdict(gate.model, at: now) == .probe)
        }
        let free = surroundings.freeSlots()
        guard !gates.isEmpty, free > 0 else { return }
        let backlog = try await store.backlog(gates: gates.map(\.number), limit: free)
        for gate in gates {
            guard let count = backlog[gate.number] else { continue }
            state.withLock { state in
                if state.pools[gate.model] == nil {
                    state.pools[gate.model] = PermitPool(limits: gate.limits, rules: rules)
                }
                state.pools[gate.model]?.limits = gate.limits
                state.pools[gate.model]?.wantAhead(min(count, free))
            }
            enqueue(.draw(gate.model, isTick: false))
        }
    }
}
