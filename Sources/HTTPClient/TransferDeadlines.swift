// SPDX-License-Identifier: Apache-2.0

/// Which deadline of an exchange is the next, and which has passed. Pure: the caller brings the time.
///
/// connecting → awaitingHead → receiving ⇄ heldBack
struct TransferDeadlines {
    private enum Phase { case connecting, awaitingHead, receiving, heldBack }

    private var limits: HTTPClientTimeLimits
    private var phase = Phase.connecting
    /// When the phase began, or the last byte came.
    private var base: ContinuousClock.Instant

    init(_ limits: HTTPClientTimeLimits, startingAt now: ContinuousClock.Instant) {
        self.limits = limits
        base = now
    }

    /// Another patience from now on; what has begun to count goes on counting.
    mutating func limit(idle: Duration, deadline: ContinuousClock.Instant?) {
        limits.idle = idle
        limits.deadline = deadline
    }

    /// The connection stands. A second time when libcurl repeats a request on a fresh connection.
    mutating func connected(at now: ContinuousClock.Instant) {
        phase = .awaitingHead
        base = now
    }

    mutating func headArrived(at now: ContinuousClock.Instant) {
        phase = .receiving
        base = now
    }

    mutating func bytesArrived(at now: ContinuousClock.Instant) {
        base = now
    }

    mutating func heldBack() {
        phase = .heldBack
    }

    mutating func resumed(at now: ContinuousClock.Instant) {
        guard phase == .heldBack else { return }
        phase = .receiving
        base = now
    }

    /// The earliest instant at which ``expired(at:)`` may have an answer.
    var next: ContinuousClock.Instant? {
        guard let phaseEnd else { return limits.deadline }
        return limits.deadline.map { min($0, phaseEnd.instant) } ?? phaseEnd.instant
    }

    func expired(at now: ContinuousClock.Instant) -> HTTPClientError.Code? {
        if let deadline = limits.deadline, now >= deadline { return .totalTimeout }
        if let phaseEnd, now >= phaseEnd.instant { return phaseEnd.code }
        return nil
    }

    private var phaseEnd: (instant: ContinuousClock.Instant, code: HTTPClientError.Code)? {
        switch phase {
        case .connecting: (base + limits.connect, .connectTimeout)
        case .awaitingHead: (base + limits.firstByte, .firstByteTimeout)
        case .receiving: (base + limits.idle, .idleTimeout)
        case .heldBack: nil
        }
    }
}
