// SPDX-License-Identifier: Apache-2.0
package import Chat

/// The clockwork of budgets: how long what was taken counts.
///
/// A minute is cut into sixty slots. What was taken in a slot counts until that slot is more than a minute, and two
/// slots more, in the past: one because a process may use what it drew up to a slot later, one because a request that
/// left later may arrive earlier. So no minute, wherever it begins, sees more than the limit, for about four per cent
/// of the rate.
package struct BudgetRules: Sendable, Hashable {
    /// Slots of a minute.
    private static let slotCount: Int64 = 60
    private static let marginSlots: Int64 = 2

    /// The width of a slot; also how long after asking for it a process may use what it drew.
    package let slotWidth: Duration

    /// - Parameter minute: 60 s, but for tests of the rules.
    package init(minute: Duration = .seconds(60)) {
        slotWidth = minute / Int(Self.slotCount)
    }

    /// The number of the slot that a time of the database's clock falls into.
    package func slot(at now: Timestamp) -> Int64 { now.microsecondsSince1970 / widthMicroseconds }

    /// The first slot that counts.
    func horizon(at now: Timestamp) -> Int64 { slot(at: now) - Self.slotCount - Self.marginSlots }

    /// Until a slot no longer counts.
    func wait(forSlot slot: Int64, at now: Timestamp) -> Duration {
        let end = (slot + 1 + Self.slotCount + Self.marginSlots) * widthMicroseconds
        return .microseconds(max(1000, end - now.microsecondsSince1970))
    }

    private var widthMicroseconds: Int64 {
        max(1, slotWidth.components.seconds * 1_000_000 + slotWidth.components.attoseconds / 1_000_000_000_000)
    }
}

/// What was taken of one budget, slot by slot. Pure; lives in a row and is changed under its lock.
package struct BudgetWindow: Sendable, Hashable {
    /// Numbers of slots, rising.
    package private(set) var slots: [Int64]
    /// What was taken in each, above 0.
    package private(set) var amounts: [Int64]

    /// Nothing taken, or what is stored; arrays of unequal length count as far as both go.
    package init(slots: [Int64] = [], amounts: [Int64] = []) {
        let count = min(slots.count, amounts.count)
        self.slots = Array(slots.prefix(count))
        self.amounts = Array(amounts.prefix(count))
    }

    /// What counts now.
    package var used: Int64 { amounts.reduce(0, +) }

    /// Drops what no longer counts. A clock that stepped back leaves slots of the future: they count as taken now, or
    /// the budget would be blocked for as long as the step was wide.
    package mutating func advance(to now: Timestamp, _ rules: BudgetRules) {
        let (horizon, current) = (rules.horizon(at: now), rules.slot(at: now))
        var kept: [Int64: Int64] = [:]
        for (slot, amount) in zip(slots, amounts) where slot >= horizon && amount > 0 {
            kept[min(slot, current), default: 0] += amount
        }
        slots = kept.keys.sorted()
        amounts = slots.map { kept[$0] ?? 0 }
    }

    /// Takes an amount in a slot, or gives it back when negative; never below nothing. What is given back to a slot
    /// that is gone changes nothing; what is taken in one counts in the last.
    package mutating func add(_ amount: Int64, inSlot slot: Int64) {
        if let index = slots.firstIndex(of: slot) {
            amounts[index] = max(0, amounts[index] + amount)
        } else if amount > 0 {
            let index = slots.firstIndex { $0 > slot } ?? slots.endIndex
            slots.insert(slot, at: index)
            amounts.insert(amount, at: index)
        }
    }

    /// How long until so much is free under a limit, if nobody takes any more; zero when it is now.
    package func wait(for amount: Int64, limit: Int64, at now: Timestamp, _ rules: BudgetRules) -> Duration {
        var free = limit - used
        if free >= amount { return .zero }
        for (slot, held) in zip(slots, amounts) {
            free += held
            if free >= amount { return rules.wait(forSlot: slot, at: now) }
        }
        return rules.wait(forSlot: rules.slot(at: now), at: now)
    }
}
