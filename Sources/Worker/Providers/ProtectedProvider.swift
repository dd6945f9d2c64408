// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Providers
import Synchronization

/// A provider as runs see it: every call has to be let out first, and is counted whatever becomes of it.
struct ProtectedProvider: Sendable {
    /// Replies of models that name no limit are reserved with this many tokens.
    static let defaultOutputTokens = 4096

    let provider: any ChatProvider
    let model: ResolvedModel
    let keeper: ProviderKeeper

    init(_ provider: any ChatProvider, model: ResolvedModel, keeper: ProviderKeeper) {
        self.provider = provider
        self.model = model
        self.keeper = keeper
        keeper.know(model)
    }

    /// The provider's constant name.
    var name: String { provider.name }

    /// Lets one call out. Costs nothing for a model without limits whose provider is not in trouble.
    ///
    /// - Returns: the call, to be made soon and once; let go, it gives back what it holds.
    /// - Throws: `withheld` when it may not go now, with the time after which it is worth asking again.
    func admit(_ request: ProviderRequest) async throws(ProviderError) -> ProtectedCall {
        var request = request
        let limits = model.fields.limits
        let prompt = request.promptTokens ?? request.messages.reduce(0) { $0 + $1.content.utf8.count / 3 + 4 }
        let output = request.maxTokens ?? model.fields.maximumOutputTokens ?? Self.defaultOutputTokens
        guard let reservation = limits.reservation(promptTokens: prompt, outputTokens: output) else {
            throw ProviderError(
                .contextLength, .withheld, mayHaveReachedProvider: false, isRetryable: false,
                providerWords: "the prompt alone is above the model's limit of tokens a minute")
        }
        if reservation.outputTokens < output { request.maxTokens = reservation.outputTokens }
        let admitted = try await keeper.admit(
            model, tokens: Int64(reservation.tokens), patience: request.limits.firstToken)
        return ProtectedCall(
            provider, request, model, keeper, permit: admitted.permit, isProbe: admitted.isProbe,
            reservedTokens: Int64(reservation.tokens))
    }
}

/// One call that was let out.
///
/// What it holds goes back at its end: at once when the provider knows that it is over, a little later when the call
/// was cut, and also when nobody reads it any more.
final class ProtectedCall: ProviderStreamObserver {
    private struct State {
        var permit: PermitPool.UsablePermit?
        /// Until its breaker was told what became of it.
        var isProbe: Bool
        var wasSent = false
        var hasShownLife = false
        var usage: ReportedUsage?
    }

    private let provider: any ChatProvider
    private let request: ProviderRequest
    private let model: ResolvedModel
    private let keeper: ProviderKeeper
    private let reservedTokens: Int64
    private let state: Mutex<State>

    fileprivate init(
        _ provider: any ChatProvider, _ request: ProviderRequest, _ model: ResolvedModel, _ keeper: ProviderKeeper,
        permit: PermitPool.UsablePermit?, isProbe: Bool, reservedTokens: Int64
    ) {
        self.provider = provider
        self.request = request
        self.model = model
        self.keeper = keeper
        self.reservedTokens = reservedTokens
        state = Mutex(State(permit: permit, isProbe: isProbe))
    }

    deinit { end(isWhole: false) }

    /// Asks for an answer in pieces.
    func stream() async throws(ProviderError) -> ProviderStream {
        let request = try await begin()
        do throws(ProviderError) {
            let stream = try await provider.stream(request)
            keeper.heard(stream.budget, of: model)
            return stream.observed(by: self)
        } catch {
            failed(error)
            throw error
        }
    }

    /// Asks for a whole answer.
    func complete() async throws(ProviderError) -> ProviderCompletion {
        let request = try await begin()
        do throws(ProviderError) {
            let completion = try await provider.complete(request)
            keeper.heard(completion.budget, of: model)
            received(completion.events)
            ended()
            return completion
        } catch {
            failed(error)
            throw error
        }
    }

    /// See `ProviderStreamObserver`. The first batch shows that the provider lives.
    func received(_ events: [ProviderEvent]) {
        let (isFirst, isProbe) = state.withLock { state in
            for case .usage(let usage) in events {
                if state.usage == nil { state.usage = usage } else { state.usage?.merge(usage) }
            }
            defer { (state.hasShownLife, state.isProbe) = (true, false) }
            return (!state.hasShownLife, state.isProbe)
        }
        if isFirst { keeper.report(.alive, of: model.id, isProbe: isProbe) }
    }

    /// See `ProviderStreamObserver`.
    func ended() { end(isWhole: true) }

    /// See `ProviderStreamObserver`.
    func failed(_ error: ProviderError) {
        keeper.heard(error.budget, of: model)
        let outcome = CallOutcome(error)
        // It counted as alive with its first output, and this is the same call.
        let (hasShownLife, isProbe) = state.withLock { state in
            defer { state.isProbe = false }
            return (state.hasShownLife, state.isProbe)
        }
        if outcome != .alive || !hasShownLife { keeper.report(outcome, of: model.id, isProbe: isProbe) }
        // The others are cut by us, and the provider may not have noticed yet.
        end(isWhole: [.status, .streamingRefused, .truncated, .connection].contains(error.cause))
    }

    /// A permit that was held too long would be used in another minute than it was drawn for.
    private func begin() async throws(ProviderError) -> ProviderRequest {
        let held = state.withLock { $0.permit }
        if let held, held.usableUntil <= .now { try await renew(wasSent: false) }
        state.withLock { $0.wasSent = true }
        var request = request
        if held != nil {
            request.beforeRepeating = { [weak self] () async throws(ProviderError) -> Void in
                guard let self else { return }
                try await renew(wasSent: true)
            }
        }
        return request
    }

    /// Gives the permit back and draws another one.
    private func renew(wasSent: Bool) async throws(ProviderError) {
        let (old, isProbe) = state.withLock { ($0.permit.take(), $0.isProbe) }
        if let old { keeper.finished(old, of: model.id, usedTokens: 0, wasSent: wasSent, isWhole: true) }
        let new = try await keeper.admit(
            model, tokens: reservedTokens, patience: request.limits.firstToken, isProbe: isProbe)
        state.withLock { ($0.permit, $0.isProbe) = new }
    }

    private func end(isWhole: Bool) {
        let (permit, used, wasSent, isProbe) = state.withLock { state in
            defer { state.isProbe = false }
            let used = state.usage.flatMap { usage in
                usage.totalTokens ?? usage.promptTokens.flatMap { prompt in usage.completionTokens.map { prompt + $0 } }
            }
            return (state.permit.take(), used, state.wasSent, state.isProbe)
        }
        if isProbe { keeper.probeLetGo(model.id) }
        guard let permit else { return }
        keeper.finished(
            permit, of: model.id, usedTokens: used.map { Int64($0) }, wasSent: wasSent, isWhole: isWhole || !wasSent)
    }
}
