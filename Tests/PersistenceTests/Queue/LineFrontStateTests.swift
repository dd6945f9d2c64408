// SPDX-License-Identifier: Apache-2.0
import Jobs
import Testing

@testable import Persistence

/// When claims have bounds, and which.
struct LineFrontStateTests {
    private static let chat = Line(lane: 0, gate: 0)
    private static let title = Line(lane: 1, gate: 0)
    private let start = ContinuousClock.now
    private let limit = ClaimLimit(total: 4, background: 4)

    private static func isSuspicious(after time: Duration, jobs: Int) -> Bool {
        var state = LineFrontState()
        state.claimTook(time, jobs: jobs)
        return !state.lines.isEmpty
    }

    @Test(arguments: [
        (Duration.milliseconds(1), 20, false), (.milliseconds(3), 0, false), (.milliseconds(4), 1, true),
        (.milliseconds(10), 512, false), (.milliseconds(14), 512, true),
    ])
    func `only a claim that is slow for what it took makes suspicious`(time: Duration, jobs: Int, expected: Bool) {
        #expect(Self.isSuspicious(after: time, jobs: jobs) == expected)
    }

    @Test func `lines are those of the open gate and of gates that were claimed from`() {
        var state = LineFrontState()
        #expect(state.lines.isEmpty)
        let gated = ClaimLimit(total: 4, background: 4, gates: [GateAllowance(gate: 7, atMost: 2)])
        #expect(state.bounds(for: gated, at: start) == nil)
        state.claimTook(.seconds(1), jobs: 1)
        #expect(
            Set(state.lines)
                == Set(Lane.allCases.flatMap { lane in [0, 7].map { Line(lane: lane.rawValue, gate: $0) } }))
    }

    @Test func `the bound is the lower one of two looks that were long`() {
        var state = LineFrontState()
        state.claimTook(.seconds(1), jobs: 1)
        #expect(state.looked([Self.chat: 50, Self.title: 10], walk: .milliseconds(5), at: start).isEmpty)
        #expect(state.bounds(for: limit, at: start) == nil)
        #expect(state.looked([Self.chat: 90, Self.title: 30], walk: .milliseconds(5), at: start).isEmpty)
        #expect(state.bounds(for: limit, at: start)?.fronts == [Self.chat: 50, Self.title: 10])
        #expect(state.looked([Self.chat: 70, Self.title: 40], walk: .milliseconds(5), at: start).isEmpty)
        let bounds = state.bounds(for: limit, at: start)
        #expect(bounds?.fronts == [Self.chat: 70, Self.title: 30])
        #expect(bounds?.front(.chat, gate: 0) == 70)
        #expect(bounds?.front(.chat, gate: 1) == .min)
        #expect(bounds?.front(.embedding, gate: 0) == .min)
    }

    @Test func `a job below the bound wakes its lane once and lowers the bound`() {
        var state = LineFrontState()
        state.claimTook(.seconds(1), jobs: 1)
        for _ in 0..<2 { _ = state.looked([Self.chat: 50, Self.title: 10], walk: .milliseconds(5), at: start) }
        #expect(state.looked([Self.chat: 49, Self.title: 10], walk: .milliseconds(5), at: start) == [.chat])
        #expect(state.bounds(for: limit, at: start)?.front(.chat, gate: 0) == 49)
        #expect(state.looked([Self.chat: 49, Self.title: 10], walk: .milliseconds(5), at: start).isEmpty)
    }

    @Test func `a look that walks over little ends it, and tells what was not seen`() {
        var state = LineFrontState()
        state.claimTook(.seconds(1), jobs: 1)
        for _ in 0..<2 { _ = state.looked([Self.chat: 50], walk: .milliseconds(5), at: start) }
        #expect(state.looked([Self.chat: 20], walk: .microseconds(100), at: start) == [.chat])
        #expect(state.bounds(for: limit, at: start) == nil)
        #expect(state.lines.isEmpty)
        // And it begins anew with two looks.
        state.claimTook(.seconds(1), jobs: 1)
        _ = state.looked([Self.chat: 60], walk: .milliseconds(5), at: start)
        #expect(state.bounds(for: limit, at: start) == nil)
    }

    @Test func `a bound that is not confirmed is void after three seconds`() {
        var state = LineFrontState()
        state.claimTook(.seconds(1), jobs: 1)
        for _ in 0..<2 { _ = state.looked([Self.chat: 50], walk: .milliseconds(5), at: start) }
        #expect(state.bounds(for: limit, at: start + .milliseconds(2999)) != nil)
        #expect(state.bounds(for: limit, at: start + .seconds(3)) == nil)
        // Claims have seen everything since, so nobody has to be woken.
        #expect(state.looked([Self.chat: 20], walk: .milliseconds(5), at: start + .seconds(4)).isEmpty)
        #expect(state.bounds(for: limit, at: start + .seconds(4))?.front(.chat, gate: 0) == 20)
    }
}
