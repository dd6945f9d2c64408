// SPDX-License-Identifier: Apache-2.0
package import Chat

/// Decides from the outcomes of calls whether a provider is worth asking. Pure; one for each configuration, kept in its
/// row, changed under the row's lock.
///
/// `closed` → `open` after ``Rules/threshold`` failures without a success between; `open` → `halfOpen` by the first call
/// after its time is over; `halfOpen` → `closed` by that call's success, → `open`, for longer, by its failure. A probe
/// that was let go, because it said nothing of its provider, is over at once; one whose outcome nobody reported (its
/// worker died) is over when its time is. Then the next call is a probe.
package struct CircuitBreaker: Sendable, Hashable {
    /// The numbers.
    package struct Rules: Sendable, Hashable {
        /// Failures that open it.
        package var threshold: Int
        /// A failure so long after the last one is the first again.
        package var memory: Duration
        /// The first time it is open for; doubles with each further one.
        package var base: Duration
        /// It is never open for longer.
        package var cap: Duration

        /// Ten failures within a minute each of the next; 2 s at first, 60 s at most.
        package init(
            threshold: Int = 10, memory: Duration = .seconds(60), base: Duration = .seconds(2),
            cap: Duration = .seconds(60)
        ) {
            self.threshold = threshold
            self.memory = memory
            self.base = base
            self.cap = cap
        }
    }

    /// The raw value is stored.
    package enum State: Int16, Sendable, Hashable {
        /// Calls go through.
        case closed = 0
        /// None does until the time is over.
        case open = 1
        /// One is under way to find out.
        case halfOpen = 2
    }

    /// What a call may do.
    package enum Admission: Sendable, Hashable {
        /// It goes through.
        case pass
        /// It goes through, and its outcome decides.
        case probe
        /// It waits for so long.
        case refused(for: Duration)
    }

    /// Where it stands.
    package var state: State
    /// Failures since the last success.
    package var failures: Int
    /// Times it was opened since it was last closed.
    package var openings: Int
    /// When the last failure was.
    package var lastFailure: Timestamp?
    /// `open`: when it ends; `halfOpen`: when the probe is given up.
    package var until: Timestamp?

    /// Closed, and nothing went wrong yet.
    package init() {
        (state, failures, openings) = (.closed, 0, 0)
    }

    /// A call wants to go out. `patience` is how long a probe may take until its outcome is known.
    package mutating func admit(at now: Timestamp, patience: Duration) -> Admission {
        if state == .closed { return .pass }
        if let until, until > now {
            return .refused(for: .microseconds(until.microsecondsSince1970 - now.microsecondsSince1970))
        }
        state = .halfOpen
        until = now.advanced(by: patience)
        return .probe
    }

    /// A call showed that the provider lives.
    package mutating func succeeded() {
        self = CircuitBreaker()
    }

    /// A probe never went out, or was ended by us: the next call may find out. One that is let go so late that another is
    /// under way lets a further one go beside it.
    package mutating func letGo(at now: Timestamp) {
        guard state == .halfOpen else { return }
        state = .open
        until = now
    }

    /// A call failed in a way that the provider is to blame for. Calls that were under way when it opened change
    /// nothing any more.
    ///
    /// `jitter` is within 0...1, drawn by the caller; an open time is between a half and the whole.
    package mutating func failed(at now: Timestamp, jitter: Double, _ rules: Rules) {
        switch state {
        case .open:
            guard let until, until <= now else { return }
        case .halfOpen: break
        case .closed:
            if let lastFailure, lastFailure.advanced(by: rules.memory) < now { failures = 0 }
        }
        failures += 1
        lastFailure = now
        if state == .closed && failures < rules.threshold { return }
        state = .open
        openings += 1
        var time = min(rules.base, rules.cap)
        for _ in 1..<openings where time < rules.cap { time = min(time * 2, rules.cap) }
        until = now.advanced(by: time * (0.5 + 0.5 * min(max(jitter, 0), 1)))
    }
}
