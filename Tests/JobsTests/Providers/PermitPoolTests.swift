// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

struct PermitPoolTests {
    private let start = ContinuousClock.now
    private let rules = BudgetRules()

    private func pool(_ concurrent: Int? = nil, _ requests: Int? = nil, _ tokens: Int? = nil) -> PermitPool {
        PermitPool(
            limits: ProviderLimits(
                maximumConcurrent: concurrent, requestsPerMinute: requests, tokensPerMinute: tokens), rules: rules)
    }

    private func grant(_ count: Int, places: Int = 0, tokens: Int64 = 0) -> PermitGrant {
        PermitGrant(
            permits: Array(repeating: CallPermit(slot: 1, reservedTokens: tokens), count: count), places: places)
    }

    @Test func `a call waits for one draw and the next for the next`() throws {
        var pool = pool(2)
        #expect(pool.take(1, tokens: 0, at: start) == .waits)
        let wish = pool.nextDraw(isTick: false)
        let first = try #require(wish)
        #expect(first.calls == [0])
        #expect(pool.take(2, tokens: 0, at: start) == .waits)
        #expect(pool.nextDraw(isTick: false) == nil)
        let answers = pool.drawn(grant(1, places: 1), sentAt: start, at: start)
        #expect(answers.map(\.0) == [1])
        #expect(pool.nextDraw(isTick: false)?.calls == [0])
        var refused = PermitGrant(shortage: .places, wait: .seconds(1))
        refused.permits = []
        let second = pool.drawn(refused, sentAt: start, at: start)
        #expect(second.first?.1 == .failure(PermitPool.Refusal(shortage: .places, wait: .seconds(1))))
    }

    @Test func `a place that nobody needs goes back at once where they are few`() throws {
        var pool = pool(2)
        _ = pool.take(1, tokens: 0, at: start)
        _ = pool.nextDraw(isTick: false)
        let permit = try #require(try pool.drawn(grant(1, places: 1), sentAt: start, at: start).first?.1.get())
        #expect(pool.nextDraw(isTick: false) == nil)
        pool.finished(permit.permit, usedTokens: nil, wasSent: true, isWhole: true)
        #expect(pool.nextDraw(isTick: false)?.returnedPlaces == 1)
        _ = pool.drawn(PermitGrant(), sentAt: start, at: start)
        #expect(pool.isIdle)
    }

    @Test func `the place of a call that was cut is free only after a whole tick`() throws {
        var pool = pool(1)
        _ = pool.take(1, tokens: 0, at: start)
        _ = pool.nextDraw(isTick: false)
        let permit = try #require(try pool.drawn(grant(1, places: 1), sentAt: start, at: start).first?.1.get())
        pool.finished(permit.permit, usedTokens: nil, wasSent: true, isWhole: false)
        #expect(pool.nextDraw(isTick: false) == nil)
        pool.tick(at: start)
        #expect(pool.nextDraw(isTick: true) == nil)
        pool.tick(at: start)
        #expect(pool.nextDraw(isTick: true)?.returnedPlaces == 1)
    }

    @Test func `permits that nobody uses are given back and not used late`() throws {
        var pool = pool(nil, 6000)
        pool.wantAhead(3)
        let ahead = pool.nextDraw(isTick: false)
        #expect(ahead?.calls.count == 3)
        _ = pool.drawn(grant(3), sentAt: start, at: start)
        #expect(pool.allowance == 3)
        pool.promise(2)
        #expect(pool.allowance == 1)
        guard case .granted = pool.take(1, tokens: 0, at: start) else {
            Issue.record("a spare permit was not given")
            return
        }
        let late = start + .seconds(1)
        #expect(pool.take(2, tokens: 0, at: late) == .waits)
        let wish = pool.nextDraw(isTick: false)
        let draw = try #require(wish)
        #expect(draw.corrections == [PermitWish.Correction(slot: 1, requests: -2, tokens: 0)])
    }

    @Test func `a permit that came too late is not used`() throws {
        var pool = pool(nil, 10)
        _ = pool.take(1, tokens: 0, at: start)
        _ = pool.nextDraw(isTick: false)
        let answers = pool.drawn(grant(1), sentAt: start, at: start + .seconds(1))
        #expect(throws: PermitPool.Refusal.self) { try answers.first?.1.get() }
        #expect(pool.nextDraw(isTick: true)?.corrections.first?.requests == -1)
    }

    @Test func `wide limits are drawn ahead and tight ones are not`() throws {
        var wide = pool(nil, 6000)
        _ = wide.take(1, tokens: 0, at: start)
        #expect(wide.nextDraw(isTick: false)?.ahead == 10)
        var tight = pool(nil, 60)
        _ = tight.take(1, tokens: 0, at: start)
        #expect(tight.nextDraw(isTick: false)?.ahead == 0)
    }

    @Test func `a lost draw uses nothing and the row tells what is held`() throws {
        var pool = pool(4)
        _ = pool.take(1, tokens: 0, at: start)
        _ = pool.nextDraw(isTick: false)
        #expect(pool.drawMark == -1)
        let answers = pool.drawFailed()
        #expect(answers.first?.1 == .failure(PermitPool.Refusal(shortage: nil, wait: .seconds(1))))
        let mark = pool.drawMark
        pool.held(1, since: mark)
        pool.tick(at: start)
        #expect(pool.nextDraw(isTick: true)?.returnedPlaces == 1)
        // A figure that was read before a draw says nothing.
        pool.held(9, since: mark)
        _ = pool.drawn(PermitGrant(), sentAt: start, at: start)
        #expect(pool.isIdle)
    }

    @Test func `a call that is given up leaves its permit to the next`() throws {
        var pool = pool(2, 6000)
        _ = pool.take(1, tokens: 0, at: start)
        _ = pool.nextDraw(isTick: false)
        pool.giveUp(1)
        #expect(pool.drawn(grant(1, places: 1), sentAt: start, at: start).isEmpty)
        guard case .granted = pool.take(2, tokens: 0, at: start) else {
            Issue.record("the permit was lost")
            return
        }
    }

    @Test func `a call that took fewer tokens than reserved gives the rest back`() throws {
        var pool = pool(nil, nil, 1000)
        _ = pool.take(1, tokens: 300, at: start)
        _ = pool.nextDraw(isTick: false)
        let answers = pool.drawn(grant(1, tokens: 300), sentAt: start, at: start)
        let permit = try #require(try answers.first?.1.get())
        pool.finished(permit.permit, usedTokens: 120, wasSent: true, isWhole: true)
        #expect(pool.nextDraw(isTick: false) == nil)
        #expect(
            pool.nextDraw(isTick: true)?.corrections == [PermitWish.Correction(slot: 1, requests: 0, tokens: -180)])
    }
}
