// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import Observability

/// The sink writes to a real pipe; a pipe nobody reads is a standard error that stalls.
@Suite(.timeLimit(.minutes(1)))
struct StandardErrorSinkTests {
    private final class Pipe {
        let reader: Int32
        private(set) var writer: Int32

        init() throws {
            var pair: [Int32] = [-1, -1]
            try #require(unsafe pipe(&pair) == 0)
            (reader, writer) = (pair[0], pair[1])
        }

        deinit {
            close(reader)
            closeWriter()
        }

        func closeWriter() {
            if writer >= 0 { close(writer) }
            writer = -1
        }

        /// Everything up to the end of file; the writer must be closed.
        func contents() -> [UInt8] {
            var all: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = unsafe read(reader, &chunk, chunk.count)
                guard count > 0 else { return all }
                all += chunk[..<count]
            }
        }

        /// Fills the pipe, so that the next write to it blocks.
        func fill() -> Int {
            _ = fcntl(writer, F_SETFL, O_NONBLOCK)
            var filler = [UInt8](repeating: UInt8(ascii: "."), count: 4096)
            var total = 0
            while true {
                let count = unsafe write(writer, &filler, filler.count)
                guard count > 0 else { break }
                total += count
            }
            _ = fcntl(writer, F_SETFL, 0)
            return total
        }

        func discard(_ count: Int) {
            var chunk = [UInt8](repeating: 0, count: 4096)
            var left = count
            while left > 0 { left -= max(1, unsafe read(reader, &chunk, min(left, chunk.count))) }
        }
    }

    @Test func `lines of many tasks come out whole and in each task's order`() async throws {
        let pipe = try Pipe()
        let sink = StandardErrorSink(descriptor: pipe.writer)
        let logger = Logger(level: .info, sink: sink)
        let reading = Array(0..<4)
        await withTaskGroup { group in
            for task in reading {
                group.addTask {
                    for number in 0..<50 { logger.info("tick", [.workerID: "w\(task)", .count: LogValue(number)]) }
                }
            }
        }
        #expect(sink.flush(timeout: .seconds(30)))
        pipe.closeWriter()
        let lines = String(decoding: pipe.contents(), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 200)
        #expect(sink.droppedLines == 0)
        for task in reading {
            let own = lines.filter { $0.contains(#""worker.id":"w\#(task)""#) }
            let expected = (0..<50).map { #""count":\#($0)}"# }
            #expect(own.count == 50 && zip(own, expected).allSatisfy { $0.hasSuffix($1) })
        }
    }

    @Test func `a stalled reader blocks nobody, drops are counted and reported`() throws {
        let pipe = try Pipe()
        let filled = pipe.fill()
        let sink = StandardErrorSink(descriptor: pipe.writer, maximumLines: 3, maximumBytes: 1000)
        // The writer may or may not have taken the first lines out of the queue before it blocked.
        for number in 0..<20 { sink.write(Array("line \(number)\n".utf8)) }
        #expect(!sink.flush(timeout: .milliseconds(1)))
        #expect((11...17).contains(sink.droppedLines))
        pipe.discard(filled)
        #expect(sink.flush(timeout: .seconds(30)))
        pipe.closeWriter()
        let text = String(decoding: pipe.contents(), as: UTF8.self)
        #expect(text.hasPrefix("line 0\n"))
        #expect(text.contains(#""message":"log lines dropped, the queue was full","log.dropped_lines":"#))
    }

    @Test func `the queue is bounded in bytes too`() throws {
        let pipe = try Pipe()
        let sink = StandardErrorSink(descriptor: pipe.writer, maximumLines: 100, maximumBytes: 10)
        sink.write(Array("longer than ten bytes\n".utf8))
        #expect(sink.droppedLines == 1)
        #expect(sink.flush(timeout: .seconds(30)))
    }

    @Test func `a closed reader loses lines but not the process`() throws {
        var pair: [Int32] = [-1, -1]
        try #require(unsafe pipe(&pair) == 0)
        close(pair[0])
        defer { close(pair[1]) }
        let metrics = MetricsRegistry()
        let sink = StandardErrorSink(descriptor: pair[1], metrics: metrics)
        sink.write(Array("into the void\n".utf8))
        #expect(sink.flush(timeout: .seconds(30)))
        #expect(sink.droppedLines == 1)
        #expect(metrics.prometheusText().contains("log_lines_dropped_total 1\n"))
    }

    @Test func `releasing the sink writes what was queued`() throws {
        let pipe = try Pipe()
        do {
            let sink = StandardErrorSink(descriptor: pipe.writer)
            sink.write(Array("last words\n".utf8))
        }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(pipe.reader, &bytes, bytes.count)
        #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == "last words\n")
    }
}
