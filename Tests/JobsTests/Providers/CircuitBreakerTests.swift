// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

struct CircuitBreakerTests {
    private static let rules = CircuitBreaker.Rules(
        threshold: 3, memory: .seconds(60), base: .seconds(2), cap: .seconds(10))

    enum Step: Sendable {
        /// At a second, with the jitter that gives the whole open time.
        case fails(Double)
        case succeeds
        /// Asks at a second; a probe has 30 s.
        case asks(Double, CircuitBreaker.Admission)
        /// A probe is let go at a second.
        case letsGo(Double)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [Step]
        let state: CircuitBreaker.State
        init(_ testDescription: String, _ steps: [Step], _ state: CircuitBreaker.State) {
            (self.testDescription, self.steps, self.state) = (testDescription, steps, state)
        }
    }

    static let cases = [
        Case("a new one lets everything pass", [.asks(0, .pass)], .closed),
        Case("failures below the threshold change nothing", [.fails(0), .fails(1), .asks(1, .pass)], .closed),
        Case(
            "the threshold opens it for the base time",
            [.fails(0), .fails(0), .fails(0), .asks(0.5, .refused(for: .milliseconds(1500)))], .open),
        Case("a success begins the count anew", [.fails(0), .fails(0), .succeeds, .fails(0), .fails(0)], .closed),
        Case("an old failure is forgotten", [.fails(0), .fails(1), .fails(62), .asks(62, .pass)], .closed),
        Case(
            "one call finds out and the others wait for it",
            [.fails(0), .fails(0), .fails(0), .asks(2, .probe), .asks(3, .refused(for: .seconds(29)))], .halfOpen),
        Case(
            "a probe's success closes it",
            [.fails(0), .fails(0), .fails(0), .asks(2, .probe), .succeeds, .asks(3, .pass)],
            .closed),
        Case(
            "a probe's failure opens it for twice as long",
            [.fails(0), .fails(0), .fails(0), .asks(2, .probe), .fails(3), .asks(4, .refused(for: .seconds(3)))], .open),
        Case(
            "it is never open for longer than the cap",
            [
                .fails(0), .fails(0), .fails(0), .asks(100, .probe), .fails(100), .asks(200, .probe), .fails(200),
                .asks(300, .probe), .fails(300), .asks(301, .refused(for: .seconds(9))),
            ], .open),
        Case(
            "a probe that nobody reports is followed by another",
            [.fails(0), .fails(0), .fails(0), .asks(2, .probe), .asks(32, .probe)], .halfOpen),
        Case(
            "a probe that is let go is followed by another at once",
            [.fails(0), .fails(0), .fails(0), .asks(2, .probe), .letsGo(3), .asks(3, .probe)], .halfOpen),
        Case(
            "a failure after a probe was let go opens it for twice as long",
            [
                .fails(0), .fails(0), .fails(0), .asks(2, .probe), .letsGo(3), .fails(3),
                .asks(4, .refused(for: .seconds(3))),
            ], .open),
        Case(
            "only a probe can be let go",
            [.letsGo(0), .fails(0), .fails(0), .fails(0), .letsGo(1), .asks(1, .refused(for: .seconds(1)))], .open),
        Case(
            "calls that were under way when it opened do not prolong it",
            [.fails(0), .fails(0), .fails(0), .fails(1), .fails(1), .asks(2, .probe)], .halfOpen),
    ]

    @Test(arguments: cases)
    func `what outcomes make of it`(_ row: Case) {
        func time(_ seconds: Double) -> Timestamp { Timestamp(microsecondsSince1970: Int64(seconds * 1_000_000)) }
        var breaker = CircuitBreaker()
        for step in row.steps {
            switch step {
            case .fails(let second): breaker.failed(at: time(second), jitter: 1, Self.rules)
            case .succeeds: breaker.succeeded()
            case .letsGo(let second): breaker.letGo(at: time(second))
            case .asks(let second, let admission):
                #expect(breaker.admit(at: time(second), patience: .seconds(30)) == admission)
            }
        }
        #expect(breaker.state == row.state)
    }

    @Test(arguments: [(0.0, 1000), (0.5, 1500), (1, 2000), (7, 2000), (-7, 1000)])
    func `jitter takes away up to a half of the open time`(jitter: Double, milliseconds: Int64) {
        var breaker = CircuitBreaker()
        for _ in 0..<3 { breaker.failed(at: Timestamp(microsecondsSince1970: 0), jitter: jitter, Self.rules) }
        #expect(breaker.until == Timestamp(microsecondsSince1970: milliseconds * 1000))
    }
}
