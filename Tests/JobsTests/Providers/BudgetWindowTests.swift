// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

struct BudgetWindowTests {
    private let rules = BudgetRules()

    private func time(_ seconds: Double) -> Timestamp {
        Timestamp(microsecondsSince1970: 1_790_000_000_000_000 + Int64(seconds * 1_000_000))
    }

    @Test(arguments: [(0.0, 7), (30, 7), (60.9, 7), (61, 7), (62.9, 7), (63, 0), (3600, 0)])
    func `what was taken counts for a minute and its margins`(after: Double, used: Int64) {
        var window = BudgetWindow()
        window.add(7, inSlot: rules.slot(at: time(0.5)))
        window.advance(to: time(after), rules)
        #expect(window.used == used)
    }

    @Test(arguments: [(1, 0.0), (3, 0.0), (4, 63.0), (8, 63.0), (9, 73.0), (10, 73.0)])
    func `the wait for an amount ends when the slots that hold it no longer count`(amount: Int64, seconds: Double) {
        var window = BudgetWindow()
        window.add(5, inSlot: rules.slot(at: time(0)))
        window.add(2, inSlot: rules.slot(at: time(10)))
        window.advance(to: time(10), rules)
        let wait = window.wait(for: amount, limit: 10, at: time(10), rules)
        #expect(wait == (seconds == 0 ? .zero : .seconds(seconds - 10)))
    }

    @Test func `a clock that steps back blocks nothing for longer than a minute`() {
        var window = BudgetWindow()
        window.add(10, inSlot: rules.slot(at: time(300)))
        window.advance(to: time(0), rules)
        #expect(window.used == 10)
        window.advance(to: time(63), rules)
        #expect(window.used == 0)
    }

    @Test func `what is given back is never more than was taken and to a slot that is gone nothing`() {
        var window = BudgetWindow(slots: [5, 6], amounts: [3, 4])
        window.add(-2, inSlot: 5)
        window.add(-9, inSlot: 6)
        window.add(-9, inSlot: 7)
        #expect(window.used == 1)
        window.add(1, inSlot: 4)
        #expect(window.slots == [4, 5, 6])
        #expect(BudgetWindow(slots: [1, 2], amounts: [1]).slots == [1])
    }

    /// Draws as fast as the window allows, with uses as late and as early as is allowed.
    @Test(arguments: [1, 7, 60, 600])
    func `no minute sees more than the limit whenever what was drawn is used`(limit: Int64) {
        var generator = SystemRandomNumberGenerator()
        var window = BudgetWindow()
        var uses: [Double] = []
        for step in 0..<4000 {
            let now = Double(step) * 0.1
            window.advance(to: time(now), rules)
            guard window.used < limit else { continue }
            let taken = Int64.random(in: 1...(limit - window.used), using: &generator)
            window.add(taken, inSlot: rules.slot(at: time(now)))
            for _ in 0..<taken { uses.append(now + .random(in: 0...1, using: &generator)) }
        }
        uses.sort()
        for (index, use) in uses.enumerated() where index + Int(limit) < uses.count {
            #expect(uses[index + Int(limit)] - use > 60)
        }
        #expect(uses.count > Int(limit) * 5)
    }
}
