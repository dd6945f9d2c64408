// SPDX-License-Identifier: Apache-2.0
import HTTP
import Testing

@testable import HTTPServer

@Suite(.timeLimit(.minutes(1)))
struct ParserTests {
    private static let seeds = [
        "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
        "POST /echo HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx",
    ]

    /// What a parser made of bytes that came in pieces of a size, up to the first refusal.
    private func outcome(_ bytes: [UInt8], _ size: Int) -> String {
        var limits = ServerConfiguration()
        limits.maxHeadBytes = 512
        let parser = RequestParser(limits: limits)
        var text = ""
        var body: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = Array(bytes[start..<min(start + size, bytes.count)])
            var position = 0
            reading: while true {
                switch parser.next(piece, &position, end: piece.count) {
                case .needsMore: break reading
                case .head(let head): text += "\(head)|"
                case .body(let chunk): body += chunk
                case .complete:
                    text += String(decoding: body, as: UTF8.self) + "|"
                    body = []
                case .refused(let refusal): return text + "refused \(refusal.status.code)"
                }
            }
        }
        return text
    }

    @Test func `a damaged request is understood or refused the same however it is cut`() {
        var generator = SplitMix(state: 7)
        for seed in Self.seeds {
            let original = Array(seed.utf8)
            for _ in 0..<1500 {
                var bytes = original
                for _ in 0..<Int.random(in: 0...2, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0...3, using: &generator) {
                    case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes.remove(at: index)
                    case 2:
                        bytes.insert([0x0D, 0x0A, 0x20, 0x3A, 0x30].randomElement(using: &generator) ?? 0, at: index)
                    default: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &generator))
                    }
                }
                let whole = outcome(bytes, bytes.count)
                for size in [1, 3, 16] where outcome(bytes, size) != whole {
                    Issue.record("in pieces of \(size): \(outcome(bytes, size)) but whole: \(whole)")
                    return
                }
            }
        }
    }

    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func `dates are written as HTTP wants them`(seconds: Int, text: String) {
        #expect(HTTPDate.text(secondsSince1970: seconds) == text)
    }

    @Test func `a connection's answer before the end of the input ends the connection`() {
        let now = ContinuousClock.now
        var state = ConnectionState(deadline: now + .seconds(1))
        #expect(state.isIdle)
        #expect(state.deadlinePassed(now + .seconds(1)) == .close)
        state.requestBegan(headDeadline: now + .seconds(9), isFirst: true)
        #expect(state.deadlinePassed(now + .seconds(1)) == .refuse(.headTimedOut))
        state.headEnded(isPersistent: true, bodyDeadline: now + .seconds(2))
        #expect(state.deadlinePassed(now + .seconds(1)) == .none)
        #expect(state.deadlinePassed(now + .seconds(2)) == .refuse(.bodyTimedOut))
        let ends = state.responseBegan(isDraining: false)
        let goesOn = state.responseEnded(idleDeadline: now + .seconds(3))
        #expect(ends && !goesOn)
        #expect(state.phase == .closing)
        #expect(!state.wantsInput)
        state.lingerBegan(deadline: now + .seconds(4))
        #expect(state.deadlinePassed(now + .seconds(4)) == .close)
    }

    @Test func `a connection goes on after a whole exchange, unless it is draining`() {
        let now = ContinuousClock.now
        for isDraining in [false, true] {
            var state = ConnectionState(deadline: now)
            state.requestBegan(headDeadline: now, isFirst: false)
            state.headEnded(isPersistent: true, bodyDeadline: now)
            state.inputEnded()
            #expect(!state.wantsInput)
            #expect(state.deadlinePassed(now) == .none)
            let ends = state.responseBegan(isDraining: isDraining)
            let canAnswer = state.refused()
            #expect(ends == isDraining)
            #expect(!canAnswer)
        }
        var state = ConnectionState(deadline: now)
        state.requestBegan(headDeadline: now, isFirst: false)
        state.headEnded(isPersistent: true, bodyDeadline: now)
        state.inputEnded()
        _ = state.responseBegan(isDraining: false)
        let goesOn = state.responseEnded(idleDeadline: now + .seconds(1))
        #expect(goesOn)
        #expect(state.isIdle)
        #expect(state.deadlinePassed(now + .seconds(1)) == .close)
    }
}

/// Repeatable random numbers.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
