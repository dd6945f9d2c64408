// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Providers
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct ProviderKeeperTests {
    @Test func `calls under way are never more than the limit over all processes`() async throws {
        try await KeeperFixture.with(keepers: 3, ProviderLimits(maximumConcurrent: 4)) { setting in
            let underWay = Recorder<(now: Int, most: Int, done: Int)>((0, 0, 0))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for keeper in setting.keepers {
                    for _ in 0..<8 {
                        group.addTask {
                            let provider = ProtectedProvider(
                                CountingProvider(underWay), model: setting.model, keeper: keeper)
                            for _ in 0..<4 {
                                while true {
                                    do throws(ProviderError) {
                                        _ = try await provider.admit(KeeperFixture.request()).complete()
                                        break
                                    } catch {
                                        #expect(error.cause == .withheld && error.code == .providerBusy)
                                        await Task.yield()
                                    }
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(underWay.withLock { $0.most } <= 4)
            #expect(underWay.withLock { $0.most } >= 2)
            #expect(underWay.withLock { $0.done } == 96)
        }
    }

    @Test func `calls begun within any minute are never more than the limit over all processes`() async throws {
        let minute = Duration.seconds(3)
        try await KeeperFixture.with(keepers: 2, ProviderLimits(requestsPerMinute: 10), minute: minute) { setting in
            let starts = Recorder<[ContinuousClock.Instant]>([])
            let end = ContinuousClock.now + minute * 2.5
            try await withThrowingTaskGroup(of: Void.self) { group in
                for keeper in setting.keepers {
                    for _ in 0..<3 {
                        group.addTask {
                            let provider = ProtectedProvider(
                                StartingProvider(starts), model: setting.model, keeper: keeper)
                            while ContinuousClock.now < end {
                                do throws(ProviderError) {
                                    _ = try await provider.admit(KeeperFixture.request()).complete()
                                } catch {
                                    #expect(error.code == .rateLimited && error.cause == .withheld)
                                    try await ContinuousClock().sleep(for: .milliseconds(10))
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let times = starts.withLock { $0.sorted() }
            #expect(times.count >= 20)
            for index in times.indices where index + 10 < times.count {
                #expect(times[index].duration(to: times[index + 10]) > minute)
            }
        }
    }

    @Test func `a 429 stops every process until its time is over`() async throws {
        try await KeeperFixture.with(keepers: 2, ProviderLimits()) { setting in
            let (first, second) = (setting.keepers[0], setting.keepers[1])
            let refused = Date()
            first.report(.busy(for: .milliseconds(600)), of: setting.model.id)
            guard case .blocked(_, .rateLimited) = first.board.verdict(setting.model.id, at: .now) else {
                Issue.record("the process that was refused goes on")
                return
            }
            while second.board.verdict(setting.model.id, at: .now) == .open { await Task.yield() }
            await #expect(throws: ProviderError.self) {
                _ = try await ProtectedProvider(LocalProvider(), model: setting.model, keeper: second).admit(
                    KeeperFixture.request())
            }
            while second.board.verdict(setting.model.id, at: .now) != .open { await Task.yield() }
            #expect(refused.duration(to: .now) >= .milliseconds(600))
            _ = try await ProtectedProvider(LocalProvider(), model: setting.model, keeper: second).admit(
                KeeperFixture.request())
        }
    }

    private struct Date {
        let start = ContinuousClock.now
        func duration(to end: ContinuousClock.Instant) -> Duration { start.duration(to: end) }
    }

    @Test func `failures open the breaker for everybody and one success closes it`() async throws {
        try await KeeperFixture.with(keepers: 2, ProviderLimits()) { setting in
            let (first, second) = (setting.keepers[0], setting.keepers[1])
            for _ in 0..<3 { first.report(.failed, of: setting.model.id) }
            while second.board.verdict(setting.model.id, at: .now) == .open { await Task.yield() }
            while second.board.verdict(setting.model.id, at: .now) != .probe { await Task.yield() }
            // Of all who want to know, one may ask; its call is held, or the next one might.
            let held = Recorder<[ProtectedCall]>([])
            let admitted = await withTaskGroup(of: Bool.self) { group in
                for keeper in setting.keepers {
                    for _ in 0..<4 {
                        group.addTask {
                            let provider = ProtectedProvider(LocalProvider(), model: setting.model, keeper: keeper)
                            do throws(ProviderError) {
                                let call = try await provider.admit(KeeperFixture.request())
                                held.withLock { $0.append(call) }
                                return true
                            } catch { return error.code != .providerDown }
                        }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 1)
            while !first.board.hasFailures(setting.model.id) { await Task.yield() }
            first.report(.alive, of: setting.model.id)
            while second.board.verdict(setting.model.id, at: .now) != .open { await Task.yield() }
            withExtendedLifetime(held) {}
        }
    }

    @Test func `the gauges of a provider that is in trouble no more go back to 0`() async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits()) { setting in
            let (keeper, id) = (setting.keepers[0], setting.model.id)
            keeper.know(setting.model)
            func wait(for value: Int, of gauge: String) async throws {
                let line = "switchyard_provider_\(gauge){model=\"\(id)\"} \(value)\n"
                while !setting.registries[0].prometheusText().contains(line) {
                    try await ContinuousClock().sleep(for: .milliseconds(10))
                }
            }
            keeper.report(.busy(for: .milliseconds(600)), of: id)
            for _ in 0..<3 { keeper.report(.failed, of: id) }
            try await wait(for: 1, of: "blocked")
            try await wait(for: 1, of: "breaker_state")
            keeper.report(.alive, of: id)
            try await wait(for: 0, of: "breaker_state")
            try await wait(for: 0, of: "blocked")
        }
    }

    @Test func `a call that is let go or cancelled gives everything back`() async throws {
        try await KeeperFixture.with(keepers: 1, ProviderLimits(maximumConcurrent: 1)) { setting in
            let provider = ProtectedProvider(LocalProvider(), model: setting.model, keeper: setting.keepers[0])
            var held: ProtectedCall? = try await provider.admit(KeeperFixture.request())
            await #expect(throws: ProviderError.self) { _ = try await provider.admit(KeeperFixture.request()) }
            withExtendedLifetime(held) {}
            held = nil
            // Never sent: free at once.
            held = try await provider.admit(KeeperFixture.request())
            var stream: ProviderStream? = try await held?.stream()
            held = nil
            var iterator = stream?.makeAsyncIterator()
            _ = try await iterator?.next()
            (stream, iterator) = (nil, nil)
            // Cut in the middle: free when the provider has noticed.
            while true {
                do throws(ProviderError) {
                    held = try await provider.admit(KeeperFixture.request())
                    break
                } catch { await Task.yield() }
            }
            let waiter = Task { try await provider.admit(KeeperFixture.request()) }
            waiter.cancel()
            await #expect(throws: ProviderError.self) { _ = try await waiter.value }
            withExtendedLifetime(held) {}
        }
    }
}

/// Takes a moment for each answer and remembers how many were under way.
private struct CountingProvider: ChatProvider {
    let name = "counting"
    let capabilities = ProviderCapabilities(
        streams: false, tools: false, images: false, reportsUsage: false, needsKey: false)
    let underWay: Recorder<(now: Int, most: Int, done: Int)>

    init(_ underWay: Recorder<(now: Int, most: Int, done: Int)>) { self.underWay = underWay }

    func stream(_ request: ProviderRequest) async throws(ProviderError) -> ProviderStream {
        throw ProviderError(.providerBadResponse, .streamingRefused)
    }

    func complete(_ request: ProviderRequest) async throws(ProviderError) -> ProviderCompletion {
        underWay.withLock { state in
            state.now += 1
            state.most = max(state.most, state.now)
        }
        for _ in 0..<20 { await Task.yield() }
        underWay.withLock { state in
            state.now -= 1
            state.done += 1
        }
        return ProviderCompletion(content: "done", finishReason: .stop)
    }
}

/// Remembers when it was asked.
private struct StartingProvider: ChatProvider {
    let name = "starting"
    let capabilities = ProviderCapabilities(
        streams: false, tools: false, images: false, reportsUsage: false, needsKey: false)
    let starts: Recorder<[ContinuousClock.Instant]>

    init(_ starts: Recorder<[ContinuousClock.Instant]>) { self.starts = starts }

    func stream(_ request: ProviderRequest) async throws(ProviderError) -> ProviderStream {
        throw ProviderError(.providerBadResponse, .streamingRefused)
    }

    func complete(_ request: ProviderRequest) async throws(ProviderError) -> ProviderCompletion {
        starts.withLock { $0.append(.now) }
        return ProviderCompletion(content: "done", finishReason: .stop)
    }
}
