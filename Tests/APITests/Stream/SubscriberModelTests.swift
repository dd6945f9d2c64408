// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@testable import API

/// One reader, one log, and a channel that may lose what it carries: every order in which things can happen.
private struct World {
    let events: [RelayedEvent]
    let pageLimit: Int
    var machine = SubscriberMachine(after: .beginning)
    /// Rows that a read sees.
    var stored = 0
    /// Notifications that were delivered or lost.
    var told = 0
    /// What a read under way saw, and whether the job had ended before it.
    var snapshot: (page: [RelayedEvent], hasEnded: Bool)?
    var sent: [StreamCursor] = []
    var bufferedBytes = 0
    var awaitsDrain = false
    var hasFinished = false
    var sweepsLeft = 1

    init(_ events: [RelayedEvent], pageLimit: Int = 2) {
        self.events = events
        self.pageLimit = pageLimit
    }

    enum Move: CaseIterable { case store, tell, lose, beginRead, endRead, drain, sweep }

    /// nil when the move is not possible now.
    func after(_ move: Move) -> World? {
        var next = self
        return next.make(move) ? next : nil
    }

    mutating func make(_ move: Move) -> Bool {
        switch move {
        case .store:
            guard stored < events.count else { return false }
            stored += 1
        case .tell:
            guard told < stored else { return false }
            told += 1
            take(machine.heard(events[told - 1], bufferedBytes: bufferedBytes), events[told - 1])
        case .lose:
            guard told < stored else { return false }
            told += 1
        case .beginRead:
            guard machine.phase == .wantsRead, snapshot == nil else { return false }
            let page = events[..<stored].filter { $0.cursor > machine.cursor }.prefix(pageLimit)
            snapshot = (Array(page), stored == events.count)
            machine.readBegan()
        case .endRead:
            guard let (page, hasEnded) = snapshot else { return false }
            snapshot = nil
            let step = machine.read(
                page, isFull: page.count == pageLimit, hasEnded: hasEnded, bufferedBytes: bufferedBytes)
            for event in step.events { send(event) }
            switch step.next {
            case .awaitDrain: awaitsDrain = true
            case .finish: hasFinished = true
            case .nothing, .read: break
            }
        case .drain:
            guard bufferedBytes > 0 else { return false }
            bufferedBytes = 0
            if awaitsDrain {
                awaitsDrain = false
                _ = machine.drained()
            }
        case .sweep:
            guard sweepsLeft > 0 else { return false }
            sweepsLeft -= 1
            _ = machine.sweep()
        }
        return true
    }

    private mutating func take(_ step: SubscriberMachine.Step, _ event: RelayedEvent) {
        switch step {
        case .ignore, .read: break
        case .send: send(event)
        case .sendLast:
            send(event)
            hasFinished = true
        case .awaitDrain: awaitsDrain = true
        }
    }

    private mutating func send(_ event: RelayedEvent) {
        sent.append(event.cursor)
        bufferedBytes += event.frame.count
    }

    /// Everything that decides the future; orders that lead to the same one are followed once.
    struct Key: Hashable {
        let stored, told, sent, bufferedBytes, sweepsLeft: Int
        let phase: SubscriberMachine.Phase
        let backlog: [StreamCursor]
        let flags: [Bool]
        let page: [StreamCursor]?
    }

    var key: Key {
        Key(
            stored: stored, told: told, sent: sent.count, bufferedBytes: bufferedBytes, sweepsLeft: sweepsLeft,
            phase: machine.phase, backlog: machine.backlog.map(\.cursor),
            flags: [machine.hasMissed, awaitsDrain, hasFinished, snapshot?.hasEnded ?? false],
            page: snapshot?.page.map(\.cursor))
    }

    var isOrdered: Bool { sent == Array(events.map(\.cursor).prefix(sent.count)) }

    /// The channel is silent from here on; sweeps and reads go on.
    mutating func settle() {
        told = stored
        for _ in 0..<50 {
            sweepsLeft = 1
            for move in [Move.store, .drain, .endRead, .sweep, .beginRead, .endRead, .drain] {
                _ = make(move)
                told = stored
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct SubscriberModelTests {
    private static func log(_ places: [(Int64, Int32)], bytes: Int = 0) -> [RelayedEvent] {
        places.enumerated().map { index, place in
            SubscriberMachineTests.event(
                place.0, place.1, bytes: bytes, kind: index == places.count - 1 ? .complete : .content)
        }
    }

    /// Walks through all orders; returns the first world that went wrong, and how many were looked at.
    private func firstFailure(_ start: World, moves: [World.Move]) -> (World?, Int) {
        var stack = [start]
        var seen: Set<World.Key> = []
        while let world = stack.popLast() {
            guard seen.insert(world.key).inserted else { continue }
            guard world.isOrdered else { return (world, seen.count) }
            var isLeaf = true
            for move in moves {
                guard let next = world.after(move) else { continue }
                isLeaf = isLeaf && (move == .sweep || move == .drain)
                stack.append(next)
            }
            guard isLeaf else { continue }
            var end = world
            end.settle()
            guard end.isOrdered, end.sent.count == end.events.count, end.hasFinished else { return (end, seen.count) }
        }
        return (nil, seen.count)
    }

    @Test(arguments: [
        [(Int64(0), Int32(1)), (5, 1), (5, 2)], [(0, 1), (5, 1), (7, 1)], [(0, 1), (0, 2), (5, 1), (5, 2)],
        [(0, 1), (5, 1), (7, 1), (7, 2)],
        [(0, 1), (0, 2), (5, 1), (5, 2), (5, 3), (8, 1)],
    ])
    func `in every order of storing, telling, losing and reading nothing is lost, repeated or out of order`(
        places: [(Int64, Int32)]
    ) {
        let (failure, count) = firstFailure(
            World(Self.log(places)), moves: [.store, .tell, .lose, .beginRead, .endRead, .sweep])
        #expect(failure == nil, "\(failure.map { "\($0.sent) \($0.machine)" } ?? "")")
        #expect(count > 100)
    }

    @Test func `in every order a slow reader gets all the same`() {
        let (failure, _) = firstFailure(
            World(Self.log([(0, 1), (5, 1), (5, 2), (7, 1), (7, 2)], bytes: 40 << 10)),
            moves: World.Move.allCases)
        #expect(failure == nil, "\(failure.map { "\($0.sent) \($0.machine.phase)" } ?? "")")
    }

    @Test(arguments: 0..<20)
    func `long random histories, with a database that takes back what it showed`(seed: UInt64) {
        var random = SplitMix(state: seed)
        for _ in 0..<40 {
            var places: [(Int64, Int32)] = [(0, 1)]
            for lease in 1...Int.random(in: 1...4, using: &random) {
                for sequence in 1...Int.random(in: 1...12, using: &random) {
                    places.append((Int64(lease * 3), Int32(sequence)))
                }
            }
            var world = World(
                Self.log(places, bytes: Bool.random(using: &random) ? 0 : 9 << 10),
                pageLimit: Int.random(in: 1...6, using: &random))
            world.sweepsLeft = .max
            for _ in 0..<200 {
                if Int.random(in: 0..<40, using: &random) == 0, world.stored < world.events.count {
                    // A crash: the last rows are gone, and are appended and told again.
                    world.stored = max(0, world.stored - Int.random(in: 0...3, using: &random))
                    world.told = min(world.told, world.stored)
                }
                _ = world.make(World.Move.allCases.randomElement(using: &random) ?? .store)
                #expect(world.isOrdered)
            }
            world.settle()
            #expect(world.isOrdered && world.sent.count == world.events.count && world.hasFinished)
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
