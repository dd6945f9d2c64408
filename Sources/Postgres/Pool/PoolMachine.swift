// SPDX-License-Identifier: Apache-2.0

/// Which connection is lent to whom: pure of any I/O and clock; the pool runs the actions it returns.
///
/// A slot goes empty → connecting → idle ⇄ lent, idle ⇄ checked, and from anywhere back to empty. Waiters are served
/// first in, first out; no newcomer overtakes one. After a failed attempt to connect, one attempt at a time is made,
/// with growing delays, until one succeeds.
struct PoolMachine<Connection: Sendable>: Sendable {
    enum Slot: Sendable {
        /// Can move to: connecting.
        case empty
        /// Can move to: idle, lent, empty.
        case connecting
        /// Can move to: lent, checked, empty.
        case idle(Connection, since: ContinuousClock.Instant, used: ContinuousClock.Instant)
        /// A ping is under way. Can move to: idle, lent, empty.
        case checked(Connection, used: ContinuousClock.Instant)
        /// Can move to: idle, lent, empty.
        case lent(Connection)
        /// Broke while lent; empty when it comes back.
        case lentBroken
    }

    enum Action: Sendable {
        case lend(waiter: UInt64, slot: Int, Connection)
        case refuse(waiter: UInt64, PostgresError.Code)
        case connect(slot: Int)
        case check(slot: Int, Connection)
        case close(Connection)
        /// Call `tick` at this time, or before.
        case wake(ContinuousClock.Instant)
        /// Shut down, and nothing is lent or connecting any more.
        case drained
    }

    private struct Waiter: Sendable {
        let number: UInt64
        let deadline: ContinuousClock.Instant
    }

    struct Limits: Sendable {
        var minimum: Int
        var maximum: Int
        var waiting: Int
        /// A connection idle for so long is pinged.
        var checkAfter: Duration
        /// A connection above the minimum that nobody used for so long is closed.
        var closeAfter: Duration
    }

    private(set) var slots: [Slot]
    private var waiters = Line<Waiter>()
    private let limits: Limits
    private(set) var failures = 0
    private var retryAt: ContinuousClock.Instant?
    private(set) var isShutDown = false

    init(_ limits: Limits) {
        self.limits = limits
        slots = Array(repeating: .empty, count: max(1, limits.maximum))
    }

    var waitingCount: Int { waiters.count }

    var lentCount: Int { count { if case .lent = $0 { true } else if case .lentBroken = $0 { true } else { false } } }

    var openCount: Int {
        count { slot in
            switch slot {
            case .idle, .checked, .lent: true
            case .empty, .connecting, .lentBroken: false
            }
        }
    }

    // MARK: Borrowers

    /// Someone wants a connection and one is idle that nobody waits for: the way of nearly all borrowers.
    mutating func lendIdle() -> (slot: Int, connection: Connection)? {
        guard !isShutDown, waiters.isEmpty, let slot = lastUsedIdle(),
            case .idle(let connection, _, _) = slots[slot]
        else { return nil }
        slots[slot] = .lent(connection)
        return (slot, connection)
    }

    /// Someone wants a connection: lent at once, refused at once, or in line until a later action names the number.
    mutating func acquire(
        _ number: UInt64, deadline: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> [Action] {
        if isShutDown { return [.refuse(waiter: number, .closed)] }
        guard waiters.count < limits.waiting else { return [.refuse(waiter: number, .queueFull)] }
        waiters.append(Waiter(number: number, deadline: deadline))
        let actions = settle(now)
        return waiters.isEmpty ? actions : actions + [.wake(deadline)]
    }

    /// A waiter left. False when it was lent a connection already.
    mutating func giveUp(_ number: UInt64) -> Bool { waiters.remove { $0.number == number } != nil }

    /// A borrower is done.
    mutating func giveBack(slot: Int, usable: Bool, now: ContinuousClock.Instant) -> [Action] {
        switch slots[slot] {
        case .lent(let connection) where usable && !isShutDown:
            slots[slot] = .idle(connection, since: now, used: now)
            return settle(now) + [.wake(now + limits.checkAfter)]
        case .lent(let connection):
            slots[slot] = .empty
            return [.close(connection)] + settle(now)
        default:
            slots[slot] = .empty
            return settle(now)
        }
    }

    // MARK: Connections

    mutating func connected(slot: Int, _ connection: Connection, now: ContinuousClock.Instant) -> [Action] {
        failures = 0
        retryAt = nil
        guard !isShutDown else {
            slots[slot] = .empty
            return [.close(connection)] + settle(now)
        }
        slots[slot] = .idle(connection, since: now, used: now)
        return settle(now) + [.wake(now + limits.checkAfter)]
    }

    /// The delay is drawn by the caller, by the number of failures so far.
    mutating func connectFailed(slot: Int, delay: Duration, now: ContinuousClock.Instant) -> [Action] {
        slots[slot] = .empty
        failures += 1
        retryAt = now + delay
        return settle(now) + [.wake(now + delay)]
    }

    mutating func checkEnded(slot: Int, now: ContinuousClock.Instant) -> [Action] {
        guard case .checked(let connection, let used) = slots[slot] else { return [] }
        slots[slot] = .idle(connection, since: now, used: used)
        return settle(now) + [.wake(now + limits.checkAfter)]
    }

    /// The connection of a slot ended by itself.
    mutating func broke(slot: Int, now: ContinuousClock.Instant) -> [Action] {
        switch slots[slot] {
        case .lent: slots[slot] = .lentBroken
        case .idle, .checked: slots[slot] = .empty
        case .empty, .connecting, .lentBroken: break
        }
        return settle(now)
    }

    // MARK: Time and end

    /// What is due: waiters past their deadline, pings, connections nobody needs, another attempt to connect.
    mutating func tick(now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        while let late = waiters.remove(where: { $0.deadline <= now }) {
            actions.append(.refuse(waiter: late.number, .poolTimeout))
        }
        actions += upkeep(now)
        actions += settle(now)
        if let due = nextDue(now) { actions.append(.wake(due)) }
        return actions
    }

    /// Lends nothing more; what is lent is closed when it comes back.
    mutating func shutDown() -> [Action] {
        isShutDown = true
        var actions = waiters.removeAll().map { Action.refuse(waiter: $0.number, .closed) }
        for (index, slot) in slots.enumerated() {
            switch slot {
            case .idle(let connection, _, _), .checked(let connection, _):
                actions.append(.close(connection))
                slots[index] = .empty
            case .empty, .connecting, .lent, .lentBroken: break
            }
        }
        return actions + drainedIfSo()
    }

    private mutating func upkeep(_ now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        for (index, slot) in slots.enumerated() {
            guard case .idle(let connection, let since, let used) = slot else { continue }
            if openCount > limits.minimum, used + limits.closeAfter <= now {
                slots[index] = .empty
                actions.append(.close(connection))
            } else if since + limits.checkAfter <= now {
                slots[index] = .checked(connection, used: used)
                actions.append(.check(slot: index, connection))
            }
        }
        return actions
    }

    /// Lends what can be lent, then connects as much as is wanted.
    private mutating func settle(_ now: ContinuousClock.Instant) -> [Action] {
        if isShutDown { return drainedIfSo() }
        var actions: [Action] = []
        while !waiters.isEmpty, let slot = lastUsedIdle(), case .idle(let connection, _, _) = slots[slot],
            let waiter = waiters.popFirst()
        {
            slots[slot] = .lent(connection)
            actions.append(.lend(waiter: waiter.number, slot: slot, connection))
        }
        var connecting = count { if case .connecting = $0 { true } else { false } }
        let mayTry = retryAt.map { $0 <= now } ?? true
        for (index, slot) in slots.enumerated() {
            guard case .empty = slot, mayTry, failures == 0 || connecting == 0 else { continue }
            guard connecting < waiters.count || openCount + connecting < limits.minimum else { break }
            slots[index] = .connecting
            connecting += 1
            actions.append(.connect(slot: index))
        }
        return actions
    }

    private func drainedIfSo() -> [Action] {
        let busy = slots.contains { slot in
            switch slot {
            case .connecting, .lent, .lentBroken: true
            case .empty, .idle, .checked: false
            }
        }
        return isShutDown && !busy ? [.drained] : []
    }

    /// The one used last: its caches are warm, and the others can age.
    private func lastUsedIdle() -> Int? {
        var best: (index: Int, used: ContinuousClock.Instant)?
        for (index, slot) in slots.enumerated() {
            guard case .idle(_, _, let used) = slot, best.map({ $0.used < used }) ?? true else { continue }
            best = (index, used)
        }
        return best?.index
    }

    private func nextDue(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        var due: [ContinuousClock.Instant] = []
        waiters.forEach { due.append($0.deadline) }
        if let retryAt, retryAt > now { due.append(retryAt) }
        for slot in slots {
            guard case .idle(_, let since, let used) = slot else { continue }
            due.append(since + limits.checkAfter)
            if openCount > limits.minimum { due.append(used + limits.closeAfter) }
        }
        return due.min()
    }

    private func count(_ matches: (Slot) -> Bool) -> Int { slots.count(where: matches) }
}
