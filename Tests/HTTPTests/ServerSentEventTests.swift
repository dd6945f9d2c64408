// SPDX-License-Identifier: Apache-2.0
import HTTP
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ServerSentEventTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(
        arguments: [
            (nil, nil, "x", "data: x\n\n"),
            ("1.2", "content", "{}", "id: 1.2\nevent: content\ndata: {}\n\n"),
            (nil, nil, "a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
            (nil, nil, "", "data: \n\n"),
            (nil, nil, "a\n", "data: a\ndata: \n\n"),
            ("1\ndata: forged", "a\r\nb", "x", "id: 1data: forged\nevent: ab\ndata: x\n\n"),
        ] as [(String?, String?, String, String)])
    func `an event is written so that nothing in it can forge a field`(
        id: String?, event: String?, data: String, wire: String
    ) {
        let encoded = ServerSentEvent(id: id, event: event, data: bytes(data)).encoded()
        #expect(String(decoding: encoded, as: UTF8.self) == wire)
    }

    private struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let wire: String
        let events: [ServerSentEvent]

        init(_ name: String, _ wire: String, _ events: [(String?, String?, String)]) {
            testDescription = name
            self.wire = wire
            self.events = events.map { ServerSentEvent(id: $0.0, event: $0.1, data: Array($0.2.utf8)) }
        }
    }

    private static let cases = [
        Case("plain", "data: a\n\ndata: b\n\n", [(nil, nil, "a"), (nil, nil, "b")]),
        Case("CRLF", "id: 1\r\nevent: e\r\ndata: a\r\n\r\n", [("1", "e", "a")]),
        Case("CR", "data: a\rdata: b\r\rdata: c\r\r", [(nil, nil, "a\nb"), (nil, nil, "c")]),
        Case("mixed ends", "data: a\r\n\ndata: b\n\r\n", [(nil, nil, "a"), (nil, nil, "b")]),
        Case("byte order mark", "\u{FEFF}data: a\n\n", [(nil, nil, "a")]),
        Case("no space", "data:{\"a\":1}\n\n", [(nil, nil, "{\"a\":1}")]),
        Case("two spaces", "data:  a\n\n", [(nil, nil, " a")]),
        Case("comments", ": ping\n\ndata: a\n: more\n\n:\n\n", [(nil, nil, "a")]),
        Case("id stays with its event", "id: 7\ndata: a\n\ndata: b\n\n", [("7", nil, "a"), (nil, nil, "b")]),
        Case("no dispatch without data", "event: x\n\ndata: a\n\n", [(nil, nil, "a")]),
        Case("empty data", "data\n\ndata:\n\n", [(nil, nil, ""), (nil, nil, "")]),
        Case("unknown field", "foo: bar\ndata: a\nretry: 10\n\n", [(nil, nil, "a")]),
        Case("multi-byte text", "data: grün 🎉 日本\n\n", [(nil, nil, "grün 🎉 日本")]),
        Case("empty lines first", "\n\n\ndata: a\n\n", [(nil, nil, "a")]),
    ]

    @Test(arguments: cases)
    private func `events are the same however the bytes are cut`(test: Case) throws {
        let wire = bytes(test.wire)
        for size in 1...wire.count {
            var parser = ServerSentEventParser()
            var events: [ServerSentEvent] = []
            for start in stride(from: 0, to: wire.count, by: size) {
                events += try parser.feed(Array(wire[start..<min(start + size, wire.count)]))
            }
            #expect(events == test.events, "in chunks of \(size)")
        }
    }

    @Test func `the last cursor and the retry delay outlive their events`() throws {
        var parser = ServerSentEventParser()
        _ = try parser.feed(bytes("id: 7\ndata: a\n\ndata: b\n\nretry: 3000\n\n"))
        #expect(parser.lastEventID == "7")
        #expect(parser.retryDelay == .seconds(3))
        _ = try parser.feed(bytes("id: 8\n\nid: a\u{0}b\n\nretry: soon\n"))
        #expect(parser.lastEventID == "8")
        #expect(parser.retryDelay == .seconds(3))
    }

    @Test func `an event cut off by the end is handed over only on request`() throws {
        var parser = ServerSentEventParser()
        #expect(try parser.feed(bytes("data: a\n\ndata: b\ndata: c")).count == 1)
        #expect(try parser.finish() == ServerSentEvent(data: bytes("b\nc")))
        #expect(try parser.finish() == nil)
    }

    @Test(arguments: [1, 7, 4096])
    func `a line or an event over the limit ends the parse`(chunkBytes: Int) {
        let endless = bytes("data: " + String(repeating: "x", count: 5000))
        let many = bytes(String(repeating: "data: xxxxxxx\n", count: 500))
        for wire in [endless + [0x0A], endless, many] {
            var parser = ServerSentEventParser(maxLineBytes: 1000, maxEventBytes: 2000)
            #expect(throws: HTTPError(.eventTooLarge, "")) {
                for start in stride(from: 0, to: wire.count, by: chunkBytes) {
                    _ = try parser.feed(Array(wire[start..<min(start + chunkBytes, wire.count)]))
                }
            }
        }
    }

    @Test func `what the encoder writes the parser reads back`() throws {
        let events = (0..<1000).map {
            ServerSentEvent(id: "1.\($0)", event: "content", data: bytes("{\"n\":\($0),\"t\":\"line\\n ü\"}"))
        }
        var parser = ServerSentEventParser()
        #expect(try parser.feed(events.flatMap { $0.encoded() }) == events)
    }
}
