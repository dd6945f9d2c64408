// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Testing

@testable import API

struct QueueNoticesTests {
    private static let due = Timestamp(millisecondsSince1970: 1_790_000_000_000)

    private func logged(_ event: StreamEvent, _ lease: Int64 = 0, _ sequence: Int32 = 2) -> LoggedEvent {
        LoggedEvent(event, at: StreamCursor(lease: lease, sequence: sequence))
    }

    @Test(arguments: [
        (JobStanding.inLine(before: 4), StreamQueued(position: 4, reason: "workers_busy")),
        (.inLine(before: nil), StreamQueued(reason: "workers_busy")),
        (.held(reason: "provider_busy", until: nil), StreamQueued(reason: "provider_busy")),
        (.deferred(reason: "rate_limited", until: due), StreamQueued(reason: "rate_limited", until: due)),
        (.behind, StreamQueued(reason: "session_busy")),
    ])
    func `a reader is told once where its job stands`(standing: JobStanding, queued: StreamQueued) {
        var notices = QueueNotices()
        #expect(notices.notice(of: standing) == queued)
        #expect(notices.notice(of: standing) == nil)
    }

    @Test func `a reader is told again when it moves up`() {
        var notices = QueueNotices()
        #expect(notices.notice(of: .inLine(before: 2))?.position == 2)
        #expect(notices.notice(of: .inLine(before: 1))?.position == 1)
        #expect(notices.notice(of: .deferred(reason: "rate_limited", until: Self.due)) != nil)
    }

    @Test func `what the log has said is not said again`() {
        var notices = QueueNotices()
        let early = Self.due.advanced(by: .milliseconds(-3))
        notices.sent(logged(.queued(StreamQueued(reason: "rate_limited", until: early)), 7, 2))
        #expect(notices.notice(of: .deferred(reason: "rate_limited", until: Self.due)) == nil)
        notices.sent(logged(.queued(StreamQueued(reason: "session_busy"))))
        #expect(notices.notice(of: .behind) == nil)
        #expect(notices.notice(of: .inLine(before: 0)) != nil)
        notices.sent(logged(.content("a"), 8, 1))
        #expect(notices.notice(of: .behind) != nil)
    }

    @Test(
        arguments: [
            (nil, [], true), (.scheduled, [], true), (.ready, [], true), (.running, [], false),
            (nil, [(.start, 0, 1)], true),
            (nil, [(.start, 0, 1), (.queued, 0, 2)], true),
            (nil, [(.start, 0, 1), (.usage, 7, 1)], false),
            (nil, [(.usage, 7, 1), (.queued, 7, 2)], true),
            (.running, [(.queued, 7, 2)], true),
            // An event that comes late says nothing new.
            (nil, [(.queued, 7, 2), (.usage, 7, 1)], true),
            (nil, [(.queued, 7, 2), (.restart, 8, 1)], false),
        ] as [(JobState?, [(StreamEventKind, Int64, Int32)], Bool)])
    func `only a job that may wait is asked about`(
        state: JobState?, events: [(StreamEventKind, Int64, Int32)], mayWait: Bool
    ) {
        var wait = WaitKnowledge(state: state)
        for (kind, lease, sequence) in events {
            wait.saw(kind, at: StreamCursor(lease: lease, sequence: sequence))
        }
        #expect(wait.mayWait == mayWait)
        wait.isElsewhere()
        #expect(!wait.mayWait)
        wait.learned(.running)
        #expect(!wait.mayWait)
        wait.learned(.scheduled)
        #expect(wait.mayWait)
    }

    @Test func `a job that has fallen silent is asked about less and less`() {
        var wait = WaitKnowledge(state: .running)
        var asked: [Int] = []
        for look in 1...24 {
            wait.fellSilent()
            if wait.mayWait { asked.append(look) }
            wait.isElsewhere()
        }
        #expect(asked == [1, 2, 4, 8, 16, 24])
        wait.saw(.content, at: StreamCursor(lease: 3, sequence: 1))
        wait.fellSilent()
        #expect(wait.mayWait)
        wait.saw(.content, at: StreamCursor(lease: 3, sequence: 2))
        #expect(!wait.mayWait)
    }
}
