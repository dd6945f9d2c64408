// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport

/// A token log in memory that fails as it is told.
final class ScriptedAppender: EventAppender {
    /// What becomes of one flush; without a step it is stored.
    enum Step: Sendable {
        case store
        /// Stored once the gate is open.
        case hold(Gate)
        /// The connection is lost: before the flush was stored, or after it with the newest events taken back.
        case lose(isStored: Bool, takenBackCount: Int)
        case cancelled
    }

    struct State: Sendable {
        var steps: [Step] = []
        /// Questions for the last sequences that fail before one is answered.
        var failingQuestions = 0
        var log: [Lease: [StampedEvent]] = [:]
        var flushes: [[StampedEvent]] = []
        var announced: [StampedEvent] = []
        var stale: Set<JobID> = []
        /// An event with this text is refused.
        var refusedText = "REFUSED"
        var questionCount = 0
        /// Events that a flush brought again with other bytes, or after a gap: there must be none.
        var faults = 0
    }

    let state = Watched(State())

    init(_ steps: [Step] = []) { state.withLock { $0.steps = steps } }

    func append(
        _ events: [StampedEvent], announcing announcements: [StampedEvent]
    ) async throws(EventAppendError) -> Set<JobID> {
        let step = state.withLock { state in
            state.flushes.append(events)
            return state.steps.isEmpty ? .store : state.steps.removeFirst()
        }
        switch step {
        case .store: break
        case .hold(let gate): await gate.wait()
        case .cancelled: throw .cancelled
        case .lose(let isStored, let count):
            state.withLock { state in
                if isStored { Self.store(events, &state) }
                state.log = state.log.mapValues { $0.dropLast(count) }
            }
            throw .connectionLost
        }
        let refusal = state.withLock { state in
            if events.contains(where: { Self.text($0).contains(state.refusedText) }) { return true }
            Self.store(events, &state)
            state.announced += announcements
            return false
        }
        if refusal { throw .refused(code: "22P05") }
        return state.withLock { state in Set(events.map(\.job)).subtracting(state.stale) }
    }

    func lastSequences(of leases: [Lease]) async throws(EventAppendError) -> [Lease: Int32] {
        let stored = state.withLock { state -> [Lease: Int32]? in
            state.questionCount += 1
            if state.failingQuestions > 0 {
                state.failingQuestions -= 1
                return nil
            }
            return Dictionary(uniqueKeysWithValues: leases.map { ($0, Int32(state.log[$0]?.count ?? 0)) })
        }
        guard let stored else { throw .connectionLost }
        return stored
    }

    static func text(_ event: StampedEvent) -> String { String(decoding: event.event.data, as: UTF8.self) }

    private static func store(_ events: [StampedEvent], _ state: inout State) {
        for event in events where !state.stale.contains(event.job) {
            let index = Int(event.event.cursor.sequence) - 1
            let log = state.log[event.lease, default: []]
            if index < log.count {
                if log[index] != event { state.faults += 1 }
            } else if index == log.count {
                state.log[event.lease, default: []].append(event)
            } else {
                state.faults += 1
            }
        }
    }
}
