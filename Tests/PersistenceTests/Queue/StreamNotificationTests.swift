// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Testing

@testable import Persistence

struct StreamNotificationTests {
    private let now = Timestamp(millisecondsSince1970: 1_790_000_000_000)

    private func event(_ text: String, _ lease: Lease, _ sequence: Int32) -> StampedEvent {
        StampedEvent(
            job: lease.job,
            event: LoggedEvent(.content(text), at: StreamCursor(lease: lease.number, sequence: sequence)), written: now)
    }

    private func arrivals(_ payloads: [String]) -> [StreamNotification.Arrival] {
        var arrivals: [StreamNotification.Arrival] = []
        for payload in payloads {
            #expect(payload.utf8.count < 7900 && !payload.utf8.contains(0))
            #expect(StreamNotification.decode(payload) { arrivals.append($0) } == 0)
        }
        return arrivals
    }

    @Test(arguments: 0..<40)
    func `events come back as they were sent`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var events: [StampedEvent] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let lease = Lease(job: Fixture.id(), number: Int64.random(in: 1...Int64.max, using: &random))
            for sequence in 1...Int32.random(in: 1...20, using: &random) {
                let length = [0, 3, 200, 3000, 7700, 9000].randomElement(using: &random) ?? 0
                let text = String(
                    (0..<length).map { _ in
                        ["a", "é", "\n", "\u{0}", "@", " ", "\"", "🙂"].randomElement(using: &random) ?? "b"
                    })
                events.append(event(text, lease, sequence))
            }
        }
        let arrivals = arrivals(StreamNotification.encode(events))
        #expect(arrivals.map(\.job) == events.map(\.job), "seed \(seed)")
        #expect(arrivals.map(\.cursor) == events.map(\.event.cursor), "seed \(seed)")
        #expect(arrivals.allSatisfy { $0.kind == .content })
        for (arrival, event) in zip(arrivals, events) {
            if let data = arrival.data {
                #expect(data == event.event.data)
            } else {
                #expect(event.event.data.count > 7700)
            }
        }
    }

    @Test(arguments: 7780...7910)
    func `an event near the limit is sent whole or as a pointer`(length: Int) {
        let lease = Lease(job: Fixture.id(), number: .max)
        let overhead = event("", lease, 1).event.data.count
        let events = [
            event("a", lease, 1), event(String(repeating: "x", count: length - overhead), lease, .max),
            event("b", lease, 3),
        ]
        let payloads = StreamNotification.encode(events)
        #expect(payloads.count <= 3)
        let arrivals = arrivals(payloads)
        #expect(arrivals.map(\.cursor) == events.map(\.event.cursor))
        #expect(arrivals[1].data == nil || arrivals[1].data == events[1].event.data)
        #expect(arrivals[0].data != nil && arrivals[2].data != nil)
    }

    @Test func `many events of one job go into several payloads`() {
        let lease = Lease(job: Fixture.id(), number: 5)
        let events = (1...100).map { event(String(repeating: "x", count: 500), lease, $0) }
        let payloads = StreamNotification.encode(events)
        #expect(payloads.count >= 100 * 500 / 7900 && payloads.count <= 9)
        #expect(arrivals(payloads).compactMap(\.data) == events.map(\.event.data))
    }

    @Test func `nothing makes no payload`() {
        #expect(StreamNotification.encode([StampedEvent]()).isEmpty)
    }

    /// A payload and how many of its lines nobody understands.
    static let malformed: [(String, Int)] = [
        ("", 0), ("1 4 {}", 1), ("@x 1\n1 4 {}", 2), ("@\(JobID(high: 1, low: 1)) -1\n1 4 {}", 2),
        ("@\(JobID(high: 1, low: 1)) 1\n0 4 {}\nx 4\n1\n1 4", 3), ("@\n", 1), ("@\(JobID(high: 1, low: 1))", 1),
    ]

    @Test(arguments: malformed.indices)
    func `what cannot be understood is passed over and counted`(row: Int) {
        let (payload, count) = Self.malformed[row]
        #expect(StreamNotification.decode(payload) { _ in } == count)
    }

    @Test func `a kind of a later version is told as unknown`() {
        var arrivals: [StreamNotification.Arrival] = []
        _ = StreamNotification.decode("@\(JobID(high: 1, low: 1)) 1\n1 99 {}") { arrivals.append($0) }
        #expect(arrivals.map(\.kind) == [nil] && arrivals.first?.data == Array("{}".utf8))
    }
}
