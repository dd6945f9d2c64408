// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Providers
import Runtime
import Synchronization

extension ProviderKeeper {
    /// Lets a call go out, or says why not. Costs nothing for a configuration without limits that is not in trouble.
    ///
    /// `tokens` is what the call reserves of the token budget, `patience` how long its first output may take, should it be a
    /// probe. `isProbe` is of a call that was let out as one and needs another permit. The permit is `nil` where none is
    /// needed.
    func admit(
        _ model: ResolvedModel, tokens: Int64, patience: Duration, isProbe: Bool = false
    ) async throws(ProviderError) -> (permit: PermitPool.UsablePermit?, isProbe: Bool) {
        var mustAsk = false
        switch board.verdict(model.id, at: .now) {
        case .open: break
        case .probe: mustAsk = !isProbe
        // The others wait for this very call.
        case .blocked(_, .providerDown) where isProbe: break
        case .blocked(let wait, let reason): throw refuse(model, reason, wait)
        }
        // First the permit: a probe that gets none would keep the others from asking.
        let permit = try await permit(for: model, tokens: tokens)
        guard mustAsk else { return (permit, isProbe) }
        do throws(ProviderError) { return (permit, try await askForProbe(model, patience)) } catch {
            if let permit { finished(permit, of: model.id, usedTokens: 0, wasSent: false, isWhole: true) }
            throw error
        }
    }

    private func permit(
        for model: ResolvedModel, tokens: Int64
    ) async throws(ProviderError) -> PermitPool.UsablePermit? {
        let limits = model.fields.limits
        if limits.isEmpty { return nil }
        if limits.maximumConcurrent != nil && !surroundings.isBeating() {
            throw refuse(model, .providerBusy, .seconds(1))
        }
        switch await permit(model, tokens: tokens) {
        case .success(let permit): return permit
        case .failure(let refusal):
            if Task.isCancelled { throw ProviderError(.cancelled, .cancelled, mayHaveReachedProvider: false) }
            let reason: ErrorCode =
                refusal.shortage == .requests || refusal.shortage == .tokens ? .rateLimited : .providerBusy
            throw refuse(model, reason, refusal.wait)
        }
    }

    /// Whether the call is the probe; it is none when the breaker has closed meanwhile.
    private func askForProbe(_ model: ResolvedModel, _ patience: Duration) async throws(ProviderError) -> Bool {
        let admission: CircuitBreaker.Admission
        do throws(PersistenceError) {
            admission = try await store.admit(model.id, patience: patience + .seconds(5))
        } catch {
            if error.code == .cancelled { throw ProviderError(.cancelled, .cancelled, mayHaveReachedProvider: false) }
            throw refuse(model, .providerDown, .seconds(1))
        }
        changed()
        switch admission {
        case .pass: return false
        case .probe: return true
        case .refused: throw refuse(model, .providerDown, .seconds(1))
        }
    }

    private func permit(
        _ model: ResolvedModel, tokens: Int64
    ) async -> Result<PermitPool.UsablePermit, PermitPool.Refusal> {
        let closed = Result<PermitPool.UsablePermit, PermitPool.Refusal>.failure(
            PermitPool.Refusal(shortage: nil, wait: .zero))
        let caller = state.withLock { state in
            defer { state.nextCaller += 1 }
            return state.nextCaller
        }
        return await withTaskCancellationHandler {
            await withContinuation { continuation in
                let answer = state.withLock { state -> Result<PermitPool.UsablePermit, PermitPool.Refusal>? in
                    if !state.isOpen || Task.isCancelled { return closed }
                    if state.pools[model.id] == nil {
                        state.pools[model.id] = PermitPool(limits: model.fields.limits, rules: rules)
                    }
                    switch state.pools[model.id]?.take(caller, tokens: tokens, at: .now) {
                    case .granted(let permit): return .success(permit)
                    case .refused(let refusal): return .failure(refusal)
                    case .waits, nil:
                        state.callers[caller] = continuation
                        return nil
                    }
                }
                if let answer { return continuation.resume(returning: answer) }
                if !enqueue(.draw(model.id, isTick: false)) { giveUp(caller, of: model.id, with: closed) }
            }
        } onCancel: {
            giveUp(caller, of: model.id, with: closed)
        }
    }

    private func giveUp(
        _ caller: PermitPool.Caller, of model: ModelID, with answer: Result<PermitPool.UsablePermit, PermitPool.Refusal>
    ) {
        let continuation = state.withLock { state in
            state.pools[model]?.giveUp(caller)
            return state.callers.removeValue(forKey: caller)
        }
        continuation?.resume(returning: answer)
    }

    private func refuse(_ model: ResolvedModel, _ reason: ErrorCode, _ wait: Duration) -> ProviderError {
        metrics.refused(label(model.id), reason)
        // Not all at one instant.
        let spread = min(wait / 4, .seconds(2)) * Double.random(in: 0...1)
        return ProviderError(
            reason, .withheld, retryAfter: min(wait, policy.longestRetryAfter) + spread, mayHaveReachedProvider: false)
    }

    /// A call is over and its permit with it.
    func finished(
        _ permit: PermitPool.UsablePermit, of model: ModelID, usedTokens: Int64?, wasSent: Bool, isWhole: Bool
    ) {
        state.withLock { state in
            state.pools[model]?.finished(
                permit.permit, usedTokens: usedTokens, wasSent: wasSent, isWhole: isWhole)
        }
        board.placesFreed(model)
        enqueue(.draw(model, isTick: false))
        lineChanged()
    }

    /// What a call's end says about its provider. A probe's end always says something to the breaker.
    func report(_ outcome: CallOutcome, of model: ModelID, isProbe: Bool = false) {
        metrics.ended(label(model), outcome)
        switch outcome {
        case .silent: if isProbe { probeLetGo(model) }
        case .alive: if isProbe || board.hasFailures(model) { enqueue(.succeeded(model)) }
        case .failed: enqueue(.failed(model))
        case .busy(let asked):
            block(model, for: min(max(asked ?? policy.rateLimitDelay, .milliseconds(1)), policy.longestRetryAfter))
            // It answers: from here on the block alone holds calls back.
            if isProbe { enqueue(.succeeded(model)) }
        }
    }

    /// A probe ended, or never went out, and nothing is known of its provider: another may ask.
    func probeLetGo(_ model: ModelID) { enqueue(.probeLetGo(model)) }

    /// What a provider's header fields said of its own limits.
    func heard(_ report: ProviderBudgetReport, of model: ResolvedModel) {
        if let pause = report.pause { block(model.id, for: min(pause, policy.longestRetryAfter)) }
        guard !model.fields.limits.isEmpty, report.requests != nil || report.tokens != nil else { return }
        state.withLock { state in
            state.pools[model.id]?.heard(
                ReportedBudget(
                    remainingRequests: report.requests?.remaining, remainingTokens: report.tokens?.remaining))
        }
    }

    private func block(_ model: ModelID, for duration: Duration) {
        guard board.block(model, until: .now + duration, .rateLimited) else { return }
        metrics.blocked(label(model), for: duration)
        enqueue(.block(model, duration, .rateLimited))
    }
}
