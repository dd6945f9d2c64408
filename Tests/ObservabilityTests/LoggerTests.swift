// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(1)))
struct LoggerTests {
    private let sink = InMemoryLogSink()
    private var logger: Logger {
        Logger(level: .info, sink: sink, now: { WallTime(millisecondsSince1970: 1_700_000_000_123) })
    }
    private let start = #"{"time":"2023-11-14T22:13:20.123Z","level":"info","message":"job claimed""#

    @Test func `a line has time, level, message and typed fields`() {
        logger.info(
            "job claimed",
            [
                .jobKind: "chat", .queueDepth: 7, .durationMilliseconds: 1.5, .errorRetryable: true,
                .jobLease: LogValue(9),
            ])
        #expect(
            sink.lines == [
                start + #","job.kind":"chat","queue.depth":7,"duration.ms":1.5,"error.retryable":true,"job.lease":9}"#
            ])
    }

    @Test func `lines below the level are not written and their fields not evaluated`() {
        var evaluated = 0
        func count() -> LogValue {
            evaluated += 1
            return 1
        }
        logger.debug("quiet", [.count: count()])
        Logger.discard.error("quiet", [.count: count()])
        #expect(evaluated == 0)
        logger.warning("loud", [.count: count()])
        #expect(evaluated == 1)
        #expect(sink.lines.count == 1)
        #expect(logger.isEnabled(.error) && !logger.isEnabled(.debug) && !Logger.discard.isEnabled(.error))
    }

    @Test func `the context of the task is on every line, also in child tasks`() async {
        let trace = TraceContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        let context = LogContext(requestID: "r", jobID: "j", attempt: 2, userID: "u", trace: trace)
        let logger = logger
        await LogContext.$current.withValue(context) {
            await withTaskGroup { group in
                group.addTask { logger.info("job claimed") }
            }
            LogContext.$current.withValue(LogContext.current.with { $0.attempt = nil }) { logger.info("job claimed") }
        }
        logger.info("job claimed")
        let ids = #","request.id":"r","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736","user.id":"u","job.id":"j""#
        #expect(sink.lines == [start + ids + #","job.attempt":2}"#, start + ids + "}", start + "}"])
    }

    @Test func `a key occurs once, the nearest value wins`() {
        LogContext.$current.withValue(LogContext(jobID: "context")) {
            let inner = logger.adding([.component: "claimer", .jobLane: "chat"]).adding([.jobLane: "bulk"])
            inner.info("job claimed", [.component: "pool", .jobID: "call", .count: 1, .count: 2])
        }
        #expect(sink.lines == [start + #","job.lane":"bulk","component":"pool","job.id":"call","count":1}"#])
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t", #""\n\r\t""#),
        ("\u{0}\u{1F}\u{7F}", #""\u0000\u001f\u007f""#), ("\u{80}\u{9B}\u{9F}", #""\u0080\u009b\u009f""#),
        ("ä\u{A0}€😀", "\"ä\u{A0}€😀\""), ("", #""""#),
    ])
    func `text is escaped as JSON`(text: String, expected: String) {
        logger.info("job claimed", [.reason: LogValue(text)])
        #expect(sink.lines == [start + #","reason":"# + expected + "}"])
    }

    @Test func `bytes that are not UTF-8 are repaired`() {
        #expect(LogValue(repairing: [0x61, 0xFF, 0x62, 0xC3]) == .string("a\u{FFFD}b\u{FFFD}"))
        guard case .string(let text) = LogValue(repairing: [UInt8](repeating: 0x61, count: 1 << 20)) else { return }
        #expect(text.utf8.count < 3000)
    }

    @Test(arguments: [("a", 2048, 2048), ("a", 2049, 2048), ("€", 683, 2046), ("😀", 600, 2048)])
    func `values over 2 KiB are cut between characters`(unit: String, count: Int, kept: Int) {
        let text = String(repeating: unit, count: count)
        let cut = LogLine.cut(text)
        if text.utf8.count <= 2048 {
            #expect(cut == text)
        } else {
            #expect(cut.hasSuffix("…"))
            #expect(cut.utf8.count == kept + "…".utf8.count)
            #expect(cut.dropLast().allSatisfy { String($0) == unit })
        }
    }

    @Test func `a message is written whole and numbers JSON lacks become text`() {
        logger.info(
            "job claimed",
            [.count: LogValue(Double.infinity), .limit: LogValue(UInt64.max), .sizeBytes: LogValue(Double.nan)])
        #expect(sink.lines == [start + #","count":"inf","limit":"18446744073709551615","size.bytes":"nan"}"#])
    }

    @Test func `durations are milliseconds`() {
        #expect(LogValue(milliseconds: .microseconds(1_234_567)) == .double(1234.567))
        #expect(LogValue(milliseconds: .seconds(-2)) == .double(-2000))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func `times are RFC 3339 in UTC`(milliseconds: Int64, expected: String) {
        var bytes: [UInt8] = []
        WallTime(millisecondsSince1970: milliseconds).append(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test func `levels are read by name`() {
        #expect(LogLevel.allCases.map(\.name) == ["debug", "info", "warning", "error"])
        #expect(LogLevel(name: "WARNING") == .warning)
        #expect(LogLevel(name: "verbose") == nil)
        #expect(LogLevel.debug < .info && LogLevel.warning < .error)
    }

    @Test func `keys are lower-case words joined by dots and none occurs twice`() {
        let names = LogKey.allCases.map(\.rawValue)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.wholeMatch(of: /[a-z]+([._][a-z]+)*/) != nil })
        #expect(Set(names).isDisjoint(with: ["time", "level", "message"]))
    }

    @Test func `the in-memory sink is bounded`() {
        let small = InMemoryLogSink(capacity: 1)
        let logger = Logger(level: .debug, sink: small)
        logger.debug("kept")
        logger.debug("lost")
        #expect(small.lines.count == 1)
        #expect(small.droppedLines == 1)
    }
}
