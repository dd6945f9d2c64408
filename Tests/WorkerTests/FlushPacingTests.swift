// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Worker

struct FlushPacingTests {
    @Test(arguments: [
        (Duration.microseconds(100), Duration.milliseconds(1)), (.microseconds(500), .milliseconds(1)),
        (.microseconds(700), .microseconds(1400)), (.microseconds(1500), .milliseconds(3)),
        (.seconds(2), .milliseconds(3)),
    ])
    func `the pause is twice the last flush, within a third of the interval and all of it`(
        took: Duration, pause: Duration
    ) {
        var pacing = FlushPacing(interval: .milliseconds(3))
        #expect(pacing.pause == .milliseconds(1))
        pacing.flushed(in: took)
        #expect(pacing.pause == pause)
        pacing.flushed(in: .zero)
        #expect(pacing.pause == .milliseconds(1))
    }

    @Test func `without an interval there is no pause`() {
        var pacing = FlushPacing(interval: .zero)
        pacing.flushed(in: .seconds(1))
        #expect(pacing.pause == .zero)
    }
}
