// SPDX-License-Identifier: Apache-2.0

/// Decides what one page that shows a session is sent: a snapshot first, then changes, and a snapshot again after
/// whatever it has missed.
struct SessionViewerMachine {
    /// Where it stands.
    enum Phase: Sendable, Hashable {
        /// A snapshot is to be read. Can move to `reading`.
        case wantsSnapshot
        /// It is being read; changes of that time are in it or come later. Can move to all others.
        case reading
        /// Changes are sent as they come. Can move to `wantsSnapshot`, `stalled`.
        case live
        /// The reader is slow: nothing is sent or kept until it has taken what is there. Can move to `wantsSnapshot`.
        case stalled
    }

    /// What to do about a frame.
    enum Step: Sendable, Hashable {
        case ignore
        case send
        /// Send nothing until fewer than so many bytes are held back, then call ``drained()``.
        case awaitDrain(belowBytes: Int)
    }

    private(set) var phase = Phase.wantsSnapshot
    /// The version of the last snapshot that was sent: what it covers is not sent again.
    private(set) var covered: Int64 = 0
    /// The snapshot being read was begun before something that it has to show.
    private var isOutdated = false

    /// What the reader has is not enough any more.
    /// - Returns: whether a snapshot is to be read now.
    mutating func wantSnapshot() -> Bool {
        switch phase {
        case .live:
            phase = .wantsSnapshot
            return true
        case .reading:
            isOutdated = true
            return false
        case .wantsSnapshot: return true
        case .stalled: return false
        }
    }

    /// The read of the snapshot begins now.
    mutating func readBegan() {
        guard phase == .wantsSnapshot else { return }
        phase = .reading
        isOutdated = false
    }

    /// The read did not happen.
    mutating func readFailed() {
        guard phase == .reading else { return }
        phase = .wantsSnapshot
    }

    /// The snapshot was read, a frame of so many bytes; so many the reader has not taken yet. When it is outdated
    /// already it is ignored, and the phase says that another is wanted.
    mutating func snapshot(_ version: Int64, sizeBytes: Int, bufferedBytes: Int) -> Step {
        guard phase == .reading else { return .ignore }
        if isOutdated {
            phase = .wantsSnapshot
            return .ignore
        }
        phase = .live
        let step = admit(sizeBytes, bufferedBytes)
        if step == .send { covered = version }
        return step
    }

    /// A change came about.
    mutating func event(_ version: Int64, sizeBytes: Int, bufferedBytes: Int) -> Step {
        guard phase == .live, version > covered else { return .ignore }
        return admit(sizeBytes, bufferedBytes)
    }

    /// The slow reader has taken what it was sent.
    /// - Returns: whether a snapshot is to be read now.
    mutating func drained() -> Bool {
        guard phase == .stalled else { return false }
        phase = .wantsSnapshot
        return true
    }

    private mutating func admit(_ sizeBytes: Int, _ bufferedBytes: Int) -> Step {
        let high = SubscriberMachine.highWatermarkBytes
        let low = SubscriberMachine.lowWatermarkBytes
        if bufferedBytes == 0 || bufferedBytes + sizeBytes <= high { return .send }
        phase = .stalled
        // What is large by itself waits until it is alone.
        return .awaitDrain(belowBytes: sizeBytes <= high - low ? low : 1)
    }
}
