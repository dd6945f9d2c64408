// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Testing

@testable import API

/// The counters of a database, as the statement that draws from them behaves.
private struct Counters {
    private var used: [RateLimitBucket: Int] = [:]

    mutating func draw(_ draw: RateLimitDraw) -> RateLimitGrant? {
        let left = Int(draw.maximum) - used[draw.bucket, default: 0]
        guard left > 0 else { return nil }
        let granted = min(left, max(1, min(Int(draw.wanted), left / 10)))
        used[draw.bucket, default: 0] += granted
        return RateLimitGrant(used: used[draw.bucket, default: 0], granted: granted)
    }
}

struct PermitBookTests {
    private static let start = Timestamp(millisecondsSince1970: 1_700_000_040_000)
    private static let minute = Duration.seconds(60)

    private static func bucket(_ number: UInt64, _ kind: RateLimitBucket.Kind = .user) -> RateLimitBucket {
        RateLimitBucket(kind, high: 0, low: number)
    }

    private static func demand(
        _ maximum: Int, _ number: UInt64 = 1, _ kind: RateLimitBucket.Kind = .user
    ) -> PermitBook.Demand {
        PermitBook.Demand(bucket: bucket(number, kind), maximum: maximum)
    }

    /// Takes once, drawing as often as it needs; returns the outcome and the number of draws.
    private static func take(
        _ demands: [PermitBook.Demand], _ book: inout PermitBook, _ counters: inout Counters, at now: Timestamp = start
    ) -> (outcome: PermitBook.Outcome, draws: Int) {
        var draws = 0
        while true {
            let window = book.turn(to: now, length: minute)
            let outcome = book.take(demands, at: now)
            if outcome != .short {
                book.trim()
                return (outcome, draws)
            }
            for draw in demands.compactMap({ book.draw($0, waiting: 1) }) {
                draws += 1
                book.credit(draw, counters.draw(draw), in: window)
            }
        }
    }

    private static func admits(_ outcome: PermitBook.Outcome) -> Bool {
        if case .admitted = outcome { true } else { false }
    }

    @Test(arguments: [
        (0, 60_000, 0), (59_999, 60_000, 0), (60_000, 60_000, 60_000), (1_700_000_050_123, 60_000, 1_700_000_040_000),
        (1_700_000_050_123, 1000, 1_700_000_050_000), (-1, 1000, -1000), (7, 0, 7),
    ])
    func `windows begin at multiples of their length`(milliseconds: Int64, length: Int64, start: Int64) {
        let moment = Timestamp(millisecondsSince1970: milliseconds)
        let window = RateLimitWindow(containing: moment, length: .milliseconds(length))
        #expect(window.start == Timestamp(millisecondsSince1970: start))
        #expect(window.start <= moment && moment < window.end)
        #expect(window.remaining(at: moment) > .zero)
        #expect(window.remaining(at: window.start.advanced(by: .seconds(-5))) == window.length)
        #expect(window.remaining(at: window.end.advanced(by: .seconds(5))) == .zero)
    }

    @Test(arguments: [1, 2, 9, 10, 20, 160, 600, 1200])
    func `one process admits exactly the limit and counts down by one`(limit: Int) {
        var (book, counters) = (PermitBook(capacity: 10), Counters())
        for left in (0..<limit).reversed() {
            let (outcome, _) = Self.take([Self.demand(limit)], &book, &counters)
            #expect(outcome == .admitted(RateLimitQuota(limit: limit, remaining: left, reset: Self.minute)))
        }
        let refusal = PermitBook.Outcome.refused(.user, RateLimitQuota(limit: limit, remaining: 0, reset: Self.minute))
        let (outcome, draws) = Self.take([Self.demand(limit)], &book, &counters)
        #expect(outcome == refusal && draws <= 1)
        // From then on without the database.
        #expect(Self.take([Self.demand(limit)], &book, &counters).draws == 0)
        #expect(book.refusal(Self.demand(limit), at: Self.start) == refusal)
    }

    @Test(arguments: [(1, 3), (10, 3), (20, 7), (600, 2), (600, 10), (600, 40), (10_000, 3)])
    func `many processes together admit the limit and never more`(limit: Int, processes: Int) {
        var (books, counters) = (Array(repeating: PermitBook(capacity: 10), count: processes), Counters())
        var (admitted, draws) = (0, 0)
        for request in 0..<(limit + 50) * processes {
            let result = Self.take([Self.demand(limit)], &books[request % processes], &counters)
            admitted += Self.admits(result.outcome) ? 1 : 0
            draws += result.draws
        }
        #expect(admitted == limit)
        #expect(draws <= limit + processes)
        if limit >= 600 * processes { #expect(draws < limit / 4) }
    }

    @Test func `a permit of every bucket is used, or of none`() {
        var (book, counters) = (PermitBook(capacity: 10), Counters())
        let (user, address) = (Self.demand(5), Self.demand(3, 9, .address))
        for left in [2, 1, 0] {
            let (outcome, _) = Self.take([user, address], &book, &counters)
            #expect(outcome == .admitted(RateLimitQuota(limit: 3, remaining: left, reset: Self.minute)))
        }
        let (refused, _) = Self.take([user, address], &book, &counters)
        #expect(refused == .refused(.address, RateLimitQuota(limit: 3, remaining: 0, reset: Self.minute)))
        // From another address two are left.
        let other = Self.demand(3, 8, .address)
        #expect(
            Self.take([user, other], &book, &counters).outcome
                == .admitted(RateLimitQuota(limit: 5, remaining: 1, reset: Self.minute)))
        #expect(Self.admits(Self.take([user, other], &book, &counters).outcome))
        #expect(
            Self.take([user, other], &book, &counters).outcome
                == .refused(.user, RateLimitQuota(limit: 5, remaining: 0, reset: Self.minute)))
        #expect(Self.admits(Self.take([other], &book, &counters).outcome))
    }

    @Test func `the next window begins anew and what was drawn in the last is void`() {
        var (book, counters) = (PermitBook(capacity: 10), Counters())
        let old = book.turn(to: Self.start, length: Self.minute)
        while Self.admits(Self.take([Self.demand(2)], &book, &counters).outcome) {}
        let next = Self.start.advanced(by: Self.minute)
        book.turn(to: next, length: Self.minute)
        #expect(book.count == 0)
        // The answer to a draw that was under way when the window turned.
        book.credit(RateLimitDraw(Self.bucket(1), maximum: 2, wanted: 1), RateLimitGrant(used: 1, granted: 1), in: old)
        #expect(book.take([Self.demand(2)], at: next) == .short)
        var fresh = Counters()
        #expect(Self.admits(Self.take([Self.demand(2)], &book, &fresh, at: next).outcome))
    }

    @Test(arguments: [(-1, true), (-59_999, true), (-60_001, false), (-3_600_000, false)])
    func `a clock that is set back a little does not bring the last window back`(milliseconds: Int64, isKept: Bool) {
        var (book, counters) = (PermitBook(capacity: 10), Counters())
        #expect(Self.admits(Self.take([Self.demand(600)], &book, &counters).outcome))
        let window = book.window
        book.turn(to: Self.start.advanced(by: .milliseconds(milliseconds)), length: Self.minute)
        #expect((book.window == window) == isKept)
        #expect((book.count == 1) == isKept)
    }

    @Test func `a changed limit holds at once, in both directions`() {
        var (book, counters) = (PermitBook(capacity: 10), Counters())
        for _ in 0..<30 { #expect(Self.admits(Self.take([Self.demand(600)], &book, &counters).outcome)) }
        #expect(!Self.admits(Self.take([Self.demand(20)], &book, &counters).outcome))
        let (outcome, draws) = Self.take([Self.demand(1000)], &book, &counters)
        #expect(Self.admits(outcome) && draws == 1)
    }

    @Test func `buckets beyond the capacity drive nobody out and are counted one by one`() {
        var (book, counters) = (PermitBook(capacity: 2), Counters())
        for number in UInt64(1)...2 { _ = Self.take([Self.demand(600, number)], &book, &counters) }
        for number in UInt64(3)...50 {
            let (outcome, draws) = Self.take([Self.demand(30, number)], &book, &counters)
            #expect(outcome == .admitted(RateLimitQuota(limit: 30, remaining: 29, reset: Self.minute)))
            #expect(draws == 1 && book.count == 2)
        }
        // Those that are remembered still have their permits, and the others are not let off.
        #expect(Self.take([Self.demand(600, 1)], &book, &counters).draws == 0)
        for left in (0..<29).reversed() {
            let (outcome, draws) = Self.take([Self.demand(30, 3)], &book, &counters)
            #expect(outcome == .admitted(RateLimitQuota(limit: 30, remaining: left, reset: Self.minute)) && draws == 1)
        }
        #expect(!Self.admits(Self.take([Self.demand(30, 3)], &book, &counters).outcome))
    }
}
