// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Providers
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct ProbeTests {
    /// Until a call may find out.
    private func open(_ setting: KeeperFixture.Setting) async {
        for _ in 0..<3 { setting.keepers[0].report(.failed, of: setting.model.id) }
        while setting.keepers[0].board.verdict(setting.model.id, at: .now) != .probe { await Task.yield() }
    }

    private func breaker(_ setting: KeeperFixture.Setting) async throws -> CircuitBreaker.State {
        try await setting.store.statuses().first { $0.model == setting.model.id }?.breaker ?? .closed
    }

    private func provider(_ setting: KeeperFixture.Setting, _ inner: any ChatProvider) -> ProtectedProvider {
        ProtectedProvider(inner, model: setting.model, keeper: setting.keepers[0])
    }

    /// The next call that may go. On a busy machine a draw may come too late, which is a refusal as well.
    private func next(_ provider: ProtectedProvider) async throws -> ProtectedCall {
        while true {
            do throws(ProviderError) { return try await provider.admit(KeeperFixture.request()) } catch {
                try Task.checkCancellation()
                #expect(error.cause == .withheld)
                await Task.yield()
            }
        }
    }

    @Test func `a probe that is asked to wait closes the breaker, and the block holds`() async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits()) { setting in
            await open(setting)
            let busy = ProviderError(.rateLimited, .status, status: 429, retryAfter: .seconds(600))
            let probe = try await provider(setting, EndingProvider(busy)).admit(KeeperFixture.request())
            #expect(try await breaker(setting) == .halfOpen)
            await #expect(throws: ProviderError.self) { try await probe.complete() }
            while try await breaker(setting) != .closed { await Task.yield() }
            guard case .blocked(_, .rateLimited) = setting.keepers[0].board.verdict(setting.model.id, at: .now) else {
                Issue.record("the block is gone with the breaker")
                return
            }
        }
    }

    enum End: CaseIterable {
        case neverSent
        case cut
        case cancelled
    }

    @Test(arguments: End.allCases)
    func `a probe that says nothing of its provider is followed by another at once`(_ end: End) async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits()) { setting in
            await open(setting)
            let inner: any ChatProvider =
                end == .cancelled ? EndingProvider(ProviderError(.cancelled, .cancelled)) : LocalProvider()
            let provider = provider(setting, inner)
            var probe: ProtectedCall? = try await provider.admit(KeeperFixture.request())
            #expect(try await breaker(setting) == .halfOpen)
            switch end {
            case .neverSent: break
            case .cut: _ = try await probe?.stream()
            case .cancelled: await #expect(throws: ProviderError.self) { try await probe?.complete() }
            }
            probe = nil
            let second = try await next(provider)
            #expect(try await breaker(setting) == .halfOpen)
            withExtendedLifetime(second) {}
        }
    }

    @Test func `a call without a permit is no probe`() async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits(maximumConcurrent: 1)) { setting in
            let provider = provider(setting, LocalProvider())
            var held: ProtectedCall? = try await next(provider)
            await open(setting)
            do throws(ProviderError) {
                _ = try await provider.admit(KeeperFixture.request())
                Issue.record("there was a place for two")
            } catch { #expect(error.code == .providerBusy) }
            #expect(try await breaker(setting) == .open)
            withExtendedLifetime(held) {}
            held = nil
            _ = try await next(provider).complete()
            while try await breaker(setting) != .closed { await Task.yield() }
        }
    }

    @Test func `a probe whose permit became too old draws another and goes out`() async throws {
        let limits = ProviderLimits(requestsPerMinute: 10)
        try await KeeperFixture.with(keepers: 1, limits, minute: .seconds(12)) { setting in
            await open(setting)
            let provider = provider(setting, LocalProvider())
            var isDone = false
            while !isDone {
                let probe = try await next(provider)
                while setting.keepers[0].board.verdict(setting.model.id, at: .now) == .probe { await Task.yield() }
                // A permit is good for a sixtieth of the minute.
                try await ContinuousClock().sleep(for: .milliseconds(250))
                do throws(ProviderError) {
                    _ = try await probe.complete()
                    isDone = true
                } catch {
                    // The second draw came too late.
                    if error.code != .rateLimited { throw error }
                }
            }
            while try await breaker(setting) != .closed { await Task.yield() }
        }
    }
}

/// Ends every call in one way.
private struct EndingProvider: ChatProvider {
    let name = "ending"
    let capabilities = ProviderCapabilities(
        streams: false, tools: false, images: false, reportsUsage: false, needsKey: false)
    let error: ProviderError

    init(_ error: ProviderError) { self.error = error }

    func stream(_ request: ProviderRequest) async throws(ProviderError) -> ProviderStream { throw error }
    func complete(_ request: ProviderRequest) async throws(ProviderError) -> ProviderCompletion { throw error }
}
