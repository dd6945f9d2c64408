// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(1)))
struct TransferDeadlinesTests {
    private let start = ContinuousClock.now
    private var limits: HTTPClientTimeLimits {
        HTTPClientTimeLimits(
            connect: .seconds(1), firstByte: .seconds(10), idle: .seconds(5), deadline: start + .seconds(100))
    }

    @Test func `each phase has its own deadline and error`() {
        var deadlines = TransferDeadlines(limits, startingAt: start)
        #expect(deadlines.next == start + .seconds(1))
        #expect(deadlines.expired(at: start + .milliseconds(999)) == nil)
        #expect(deadlines.expired(at: start + .seconds(1)) == .connectTimeout)
        deadlines.connected(at: start + .seconds(1))
        #expect(deadlines.next == start + .seconds(11))
        #expect(deadlines.expired(at: start + .seconds(11)) == .firstByteTimeout)
        deadlines.headArrived(at: start + .seconds(2))
        #expect(deadlines.next == start + .seconds(7))
        #expect(deadlines.expired(at: start + .seconds(7)) == .idleTimeout)
        deadlines.bytesArrived(at: start + .seconds(6))
        #expect(deadlines.expired(at: start + .seconds(10)) == nil)
        #expect(deadlines.expired(at: start + .seconds(11)) == .idleTimeout)
        #expect(deadlines.expired(at: start + .seconds(100)) == .totalTimeout)
    }

    @Test func `time in which the peer is held back is not silence of the peer`() {
        var deadlines = TransferDeadlines(limits, startingAt: start)
        deadlines.connected(at: start)
        deadlines.headArrived(at: start)
        deadlines.heldBack()
        #expect(deadlines.next == start + .seconds(100))
        #expect(deadlines.expired(at: start + .seconds(60)) == nil)
        deadlines.resumed(at: start + .seconds(60))
        #expect(deadlines.next == start + .seconds(65))
        deadlines.heldBack()
        #expect(deadlines.expired(at: start + .seconds(100)) == .totalTimeout)
    }

    @Test func `without a total deadline a held-back transfer has none`() {
        var deadlines = TransferDeadlines(HTTPClientTimeLimits(), startingAt: start)
        deadlines.connected(at: start)
        deadlines.headArrived(at: start)
        deadlines.heldBack()
        #expect(deadlines.next == nil)
    }
}
