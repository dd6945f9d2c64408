// SPDX-License-Identifier: Apache-2.0

/// Names a scheduled body until it ran or was cancelled.
package struct TimerID: Sendable, Hashable {
    let number: UInt64
}

/// Deadlines in order, pure of any clock: a binary heap whose cancelled entries are skipped, and swept
/// away when they outnumber the live ones (libcurl re-arms its timer at nearly every step).
struct TimerQueue<Body> {
    private struct Entry {
        let deadline: ContinuousClock.Instant
        let number: UInt64
        func isBefore(_ other: Entry) -> Bool {
            deadline == other.deadline ? number < other.number : deadline < other.deadline
        }
    }

    private var heap: [Entry] = []
    private var bodies: [UInt64: Body] = [:]
    private var nextNumber: UInt64 = 1

    var count: Int { bodies.count }

    mutating func insert(_ body: Body, at deadline: ContinuousClock.Instant) -> TimerID {
        let number = nextNumber
        nextNumber += 1
        bodies[number] = body
        heap.append(Entry(deadline: deadline, number: number))
        siftUp(heap.count - 1)
        return TimerID(number: number)
    }

    mutating func remove(_ timer: TimerID) {
        guard bodies.removeValue(forKey: timer.number) != nil else { return }
        if heap.count > 64 && heap.count > 2 * bodies.count { sweep() }
    }

    /// The earliest live deadline.
    mutating func nextDeadline() -> ContinuousClock.Instant? {
        while let first = heap.first {
            if bodies[first.number] != nil { return first.deadline }
            popFirst()
        }
        return nil
    }

    /// Takes the earliest body whose deadline is not after `now`; equal deadlines in order of insertion.
    mutating func popDue(_ now: ContinuousClock.Instant) -> Body? {
        guard let deadline = nextDeadline(), deadline <= now else { return nil }
        let number = heap[0].number
        popFirst()
        return bodies.removeValue(forKey: number)
    }

    private mutating func sweep() {
        let live = heap.filter { bodies[$0.number] != nil }
        heap.removeAll(keepingCapacity: true)
        for entry in live {
            heap.append(entry)
            siftUp(heap.count - 1)
        }
    }

    private mutating func popFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        siftDown()
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].isBefore(heap[least])
            {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
