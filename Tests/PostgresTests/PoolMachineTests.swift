// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct PoolMachineTests {
    private let start = ContinuousClock.now

    private func machine(
        minimum: Int = 0, maximum: Int = 2, waiting: Int = 3
    ) -> PoolMachine<String> {
        PoolMachine(
            .init(
                minimum: minimum, maximum: maximum, waiting: waiting, checkAfter: .seconds(30),
                closeAfter: .seconds(300)))
    }

    /// Actions as words; wake-ups only when asked for.
    private func words(_ actions: [PoolMachine<String>.Action], wakes: Bool = false) -> [String] {
        actions.compactMap { action in
            switch action {
            case .lend(let waiter, let slot, let connection): "lend \(waiter) \(slot) \(connection)"
            case .refuse(let waiter, let code): "refuse \(waiter) \(PostgresError(code).label)"
            case .connect(let slot): "connect \(slot)"
            case .check(let slot, let connection): "check \(slot) \(connection)"
            case .close(let connection): "close \(connection)"
            case .wake(let instant): wakes ? "wake \((instant - start).components.seconds)" : nil
            case .drained: "drained"
            }
        }
    }

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `connects on demand, lends, takes back, lends the same again`() {
        var machine = machine()
        #expect(words(machine.acquire(1, deadline: at(5), now: start), wakes: true) == ["connect 0", "wake 5"])
        #expect(words(machine.connected(slot: 0, "a", now: start)) == ["lend 1 0 a"])
        #expect(machine.lentCount == 1)
        #expect(words(machine.giveBack(slot: 0, usable: true, now: start)) == [])
        #expect(words(machine.acquire(2, deadline: at(5), now: start), wakes: true) == ["lend 2 0 a"])
    }

    @Test func `waiters are served in order, up to the maximum at once`() {
        var machine = machine()
        #expect(words(machine.acquire(1, deadline: at(5), now: start)) == ["connect 0"])
        #expect(words(machine.acquire(2, deadline: at(5), now: start)) == ["connect 1"])
        #expect(words(machine.acquire(3, deadline: at(5), now: start)) == [])
        #expect(words(machine.acquire(4, deadline: at(5), now: start)) == ["refuse 4 queue_full"])
        #expect(words(machine.connected(slot: 1, "b", now: start)) == ["lend 1 1 b"])
        #expect(words(machine.connected(slot: 0, "a", now: start)) == ["lend 2 0 a"])
        #expect(words(machine.acquire(5, deadline: at(5), now: start)) == [])
        #expect(words(machine.giveBack(slot: 1, usable: true, now: start)) == ["lend 3 1 b"])
        #expect(words(machine.giveBack(slot: 0, usable: true, now: start)) == ["lend 5 0 a"])
    }

    @Test func `an idle connection is not lent past those who wait, nor after the shutdown`() {
        var machine = machine(maximum: 1)
        _ = machine.acquire(1, deadline: at(5), now: start)
        #expect(machine.lendIdle() == nil)
        _ = machine.connected(slot: 0, "a", now: start)
        _ = machine.giveBack(slot: 0, usable: true, now: start)
        #expect(machine.lendIdle()?.connection == "a")
        _ = machine.giveBack(slot: 0, usable: true, now: start)
        _ = machine.shutDown()
        #expect(machine.lendIdle() == nil)
    }

    @Test func `one that gave up is passed over`() {
        var machine = machine(maximum: 1)
        _ = machine.acquire(1, deadline: at(5), now: start)
        _ = machine.acquire(2, deadline: at(5), now: start)
        let gaveUp = [machine.giveUp(1), machine.giveUp(1)]
        #expect(gaveUp == [true, false])
        #expect(words(machine.connected(slot: 0, "a", now: start)) == ["lend 2 0 a"])
        let wasLent = !machine.giveUp(2)
        #expect(wasLent)
    }

    @Test func `a broken connection is replaced, not lent`() {
        var machine = machine(maximum: 1)
        _ = machine.acquire(1, deadline: at(5), now: start)
        _ = machine.connected(slot: 0, "a", now: start)
        _ = machine.acquire(2, deadline: at(5), now: start)
        #expect(words(machine.broke(slot: 0, now: start)) == [])
        #expect(words(machine.giveBack(slot: 0, usable: false, now: start)) == ["connect 0"])
        #expect(words(machine.connected(slot: 0, "b", now: start)) == ["lend 2 0 b"])
        #expect(words(machine.giveBack(slot: 0, usable: false, now: start)) == ["close b"])
        #expect(words(machine.acquire(3, deadline: at(5), now: start)) == ["connect 0"])
        _ = machine.connected(slot: 0, "c", now: start)
        _ = machine.giveBack(slot: 0, usable: true, now: start)
        #expect(words(machine.broke(slot: 0, now: start)) == [])
        #expect(machine.openCount == 0)
    }

    @Test func `while the database is away one attempt is made at a time, after its delay`() {
        var machine = machine()
        _ = machine.acquire(1, deadline: at(10), now: start)
        _ = machine.acquire(2, deadline: at(10), now: start)
        #expect(words(machine.connectFailed(slot: 0, delay: .seconds(1), now: start), wakes: true) == ["wake 1"])
        #expect(words(machine.connectFailed(slot: 1, delay: .seconds(2), now: start)) == [])
        #expect(words(machine.tick(now: at(1))) == [])
        #expect(words(machine.tick(now: at(2)), wakes: true) == ["connect 0", "wake 10"])
        #expect(words(machine.tick(now: at(3))) == [])
        #expect(words(machine.connected(slot: 0, "a", now: at(3))) == ["lend 1 0 a", "connect 1"])
        #expect(machine.failures == 0)
    }

    @Test func `who waits too long is told at the deadline`() {
        var machine = machine(maximum: 1)
        _ = machine.acquire(1, deadline: at(5), now: start)
        _ = machine.acquire(2, deadline: at(3), now: start)
        #expect(words(machine.tick(now: at(3)), wakes: true) == ["refuse 2 pool_timeout", "wake 5"])
        #expect(words(machine.tick(now: at(5))) == ["refuse 1 pool_timeout"])
        #expect(words(machine.connected(slot: 0, "a", now: at(6))) == [])
        #expect(machine.openCount == 1)
    }

    @Test func `the minimum is kept open`() {
        var machine = machine(minimum: 2, maximum: 3)
        #expect(words(machine.tick(now: start)) == ["connect 0", "connect 1"])
        _ = machine.connected(slot: 0, "a", now: start)
        _ = machine.connected(slot: 1, "b", now: start)
        #expect(words(machine.broke(slot: 1, now: start)) == ["connect 1"])
    }

    @Test func `what is idle for long is checked, and closed when nobody needs it`() {
        var machine = machine(minimum: 1)
        for waiter in 1...2 { _ = machine.acquire(UInt64(waiter), deadline: at(5), now: start) }
        _ = machine.connected(slot: 0, "a", now: start)
        _ = machine.connected(slot: 1, "b", now: start)
        _ = machine.giveBack(slot: 0, usable: true, now: start)
        #expect(words(machine.giveBack(slot: 1, usable: true, now: at(1)), wakes: true) == ["wake 31"])
        #expect(words(machine.tick(now: at(30)), wakes: true) == ["check 0 a", "wake 31"])
        #expect(words(machine.acquire(3, deadline: at(40), now: at(30))) == ["lend 3 1 b"])
        #expect(words(machine.acquire(4, deadline: at(40), now: at(30))) == [])
        #expect(words(machine.checkEnded(slot: 0, now: at(31))) == ["lend 4 0 a"])
        _ = machine.giveBack(slot: 0, usable: true, now: at(32))
        _ = machine.giveBack(slot: 1, usable: true, now: at(33))
        #expect(words(machine.tick(now: at(332))) == ["close a", "check 1 b"])
        #expect(words(machine.broke(slot: 0, now: at(332))) == [])
        #expect(words(machine.checkEnded(slot: 1, now: at(332)), wakes: true) == ["wake 362"])
        #expect(words(machine.tick(now: at(700))) == ["check 1 b"])
    }

    @Test func `shut down, it refuses, closes what is idle, and ends when all is back`() {
        var machine = machine(maximum: 3)
        for waiter in 1...3 { _ = machine.acquire(UInt64(waiter), deadline: at(5), now: start) }
        _ = machine.connected(slot: 0, "a", now: start)
        _ = machine.connected(slot: 1, "b", now: start)
        _ = machine.giveUp(3)
        _ = machine.giveBack(slot: 1, usable: true, now: start)
        #expect(words(machine.shutDown()) == ["close b"])
        #expect(words(machine.acquire(5, deadline: at(5), now: start)) == ["refuse 5 closed"])
        #expect(words(machine.giveBack(slot: 0, usable: true, now: start)) == ["close a"])
        #expect(words(machine.connected(slot: 2, "c", now: start)) == ["close c", "drained"])
    }
}
