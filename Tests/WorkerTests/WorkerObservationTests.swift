// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Testing

@testable import Worker

struct WorkerObservationTests {
    /// One look: when, the counter, whether the lock is held; and whether the worker is then dead.
    struct Look: Sendable {
        let at: Double
        let beat: Int64
        let isLocked: Bool
        let isDead: Bool

        init(_ at: Double, _ beat: Int64, _ isLocked: Bool, dead: Bool = false) {
            (self.at, self.beat, self.isLocked, isDead) = (at, beat, isLocked, dead)
        }
    }

    static let histories: [(name: String, looks: [Look])] = [
        ("beats", [Look(0, 1, true), Look(10, 2, true), Look(20, 3, true), Look(34.9, 4, true)]),
        ("killed", [Look(0, 1, true), Look(0.5, 1, false), Look(1.9, 1, false), Look(2, 1, false, dead: true)]),
        ("found without lock", [Look(0, 1, false), Look(1.4, 1, false), Look(1.5, 1, false, dead: true)]),
        ("lost machine", [Look(0, 1, true), Look(14.9, 1, true), Look(15, 1, true, dead: true)]),
        (
            "beats without lock",
            [Look(0, 1, false), Look(1, 2, false), Look(2, 3, false), Look(3, 4, false), Look(4.4, 4, false)]
        ),
        (
            "a beat counts from when it was seen",
            [Look(0, 1, false), Look(1, 2, false), Look(2.4, 2, false), Look(2.5, 2, false, dead: true)]
        ),
        (
            "the lock is taken again",
            [
                Look(0, 1, false), Look(1, 1, true), Look(2, 1, false), Look(3.4, 1, false),
                Look(3.5, 1, false, dead: true),
            ]
        ),
        ("a counter that goes back has moved", [Look(0, 9, true), Look(14, 1, true), Look(28, 1, true)]),
        ("no row", [Look(0, -1, false), Look(1.5, -1, false, dead: true), Look(2, -1, false, dead: true)]),
        ("a first look late", [Look(1000, 1, true), Look(1001, 1, false), Look(1002.4, 1, false)]),
    ]

    @Test(arguments: histories.indices)
    func `a worker is dead by these rules`(row: Int) {
        let (name, looks) = Self.histories[row]
        let worker: WorkerID = WorkerFixture.id()
        let start = ContinuousClock.now
        var observation = WorkerObservation()
        for look in looks {
            let seen = ObservedWorker(id: worker, beat: look.beat, isLocked: look.isLocked)
            let dead = observation.observe([seen], at: start + .seconds(look.at))
            #expect(dead == (look.isDead ? [worker] : []), "\(name) at \(look.at)")
        }
    }

    @Test func `observation begins anew after a reset`() {
        let seen = ObservedWorker(id: WorkerFixture.id(), beat: 1, isLocked: false)
        let start = ContinuousClock.now
        var observation = WorkerObservation()
        #expect(observation.observe([seen], at: start).isEmpty)
        observation.reset()
        #expect(observation.observe([seen], at: start + .seconds(100)).isEmpty)
        #expect(observation.observe([seen], at: start + .seconds(101)).isEmpty)
        #expect(observation.observe([seen], at: start + .seconds(101.5)) == [seen.id])
    }

    @Test func `one that was not seen for a while is new`() {
        let seen = ObservedWorker(id: WorkerFixture.id(), beat: 1, isLocked: false)
        let other = ObservedWorker(id: WorkerFixture.id(), beat: 1, isLocked: true)
        let start = ContinuousClock.now
        var observation = WorkerObservation()
        #expect(observation.observe([seen, other], at: start).isEmpty)
        #expect(observation.observe([other], at: start + .seconds(1)).isEmpty)
        #expect(observation.observe([seen, other], at: start + .seconds(2)).isEmpty)
        #expect(observation.observe([seen, other], at: start + .seconds(15)) == [seen.id, other.id])
    }
}
