// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Runtime
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct EventStreamTests {
    /// Hands the writers of opened streams to the test.
    final class Opened: Sendable {
        private let writers = Mutex<[EventStreamWriter]>([])
        private let gates = Mutex<[(count: Int, gate: Gate)]>([])

        func add(_ writer: EventStreamWriter) {
            let count = writers.withLock { writers in
                writers.append(writer)
                return writers.count
            }
            for (needed, gate) in gates.withLock({ $0 }) where count >= needed { gate.open() }
        }

        func wait(for count: Int = 1) async -> [EventStreamWriter] {
            let gate = Gate()
            gates.withLock { $0.append((count, gate)) }
            if writers.withLock({ $0.count }) >= count { gate.open() }
            await gate.wait()
            return writers.withLock { $0 }
        }
    }

    private func router(_ opened: Opened, heartbeat: Duration = .seconds(60)) -> Router {
        var router = makeRouter()
        router.on(.get, "/events") { _ in
            ServerResponse.eventStream(fields: ["X-Job-Id": "7"], heartbeat: heartbeat) { opened.add($0) }
        }
        return router
    }

    private let get = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"

    private func event(_ number: Int) -> [UInt8] {
        ServerSentEvent(id: "1.\(number)", event: "content", data: Array("{\"n\":\(number)}".utf8)).encoded()
    }

    /// Reads chunks until so many events have come, or the stream ends.
    private func readEvents(_ connection: TestConnection, _ count: Int) async throws -> [String] {
        var parser = ServerSentEventParser()
        var events: [ServerSentEvent] = []
        while events.count < count {
            let chunk = try await connection.readChunk()
            if chunk.isEmpty { break }
            events += try parser.feed(chunk)
        }
        return events.map { String(decoding: $0.data, as: UTF8.self) }
    }

    @Test func `the head is there before any event`() async throws {
        let opened = Opened()
        try await withServer(router(opened)) { server in
            let connection = try await server.connect()
            await connection.send(get)
            let head = try await connection.readHead()
            #expect(head.status == 200)
            #expect(head.fields["content-type"] == "text/event-stream; charset=utf-8")
            #expect(head.fields["cache-control"] == "no-cache, no-transform")
            #expect(head.fields["x-accel-buffering"] == "no")
            #expect(head.fields["x-job-id"] == "7")
            #expect(server.metric("switchyard_http_event_streams 1"))
            await connection.close()
        }
    }

    @Test func `ten thousand events from another thread arrive in order`() async throws {
        let opened = Opened()
        try await withServer(router(opened), configure: { $0.eventStreamMaxBufferedBytes = 4 << 20 }) { server in
            let connection = try await server.connect()
            await connection.send(get)
            _ = try await connection.readHead()
            let writer = await opened.wait()[0]
            server.clients.execute {
                for number in 0..<10_000 { writer.send(event(number)) }
                writer.finish()
            }
            let events = try await readEvents(connection, .max)
            #expect(events == (0..<10_000).map { "{\"n\":\($0)}" })
            #expect(writer.isClosed)
            #expect(!writer.send(event(0)))
            await connection.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await connection.readResponse().body == "hello")
            await connection.close()
        }
    }

    @Test func `a stream that was ended at its opening is whole`() async throws {
        var router = makeRouter()
        router.on(.get, "/events") { _ in
            ServerResponse.eventStream(heartbeat: .seconds(60)) { writer in
                writer.send(event(1))
                writer.finish()
            }
        }
        try await withServer(router) { server in
            let connection = try await server.connect()
            await connection.send(get + get + "GET /events HTTP/1.0\r\n\r\n")
            for _ in 0..<2 {
                #expect(try await connection.readResponse().body == "id: 1.1\nevent: content\ndata: {\"n\":1}\n\n")
            }
            let last = try await connection.readResponse()
            #expect(last.fields["transfer-encoding"] == nil)
            #expect(last.body == "id: 1.1\nevent: content\ndata: {\"n\":1}\n\n")
            await connection.close()
        }
    }

    @Test func `HEAD gets the head of a stream and opens none`() async throws {
        let opened = Opened()
        try await withServer(router(opened)) { server in
            let connection = try await server.connect()
            await connection.send("HEAD /events HTTP/1.1\r\nHost: a\r\n\r\nGET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await connection.readResponse(toHead: true).status == 200)
            #expect(try await connection.readResponse().body == "hello")
            #expect(server.metric("switchyard_http_event_streams 0"))
            await connection.close()
        }
    }

    @Test func `heartbeats come as comments between events`() async throws {
        let opened = Opened()
        try await withServer(router(opened, heartbeat: .milliseconds(20))) { server in
            let connection = try await server.connect()
            await connection.send(get)
            _ = try await connection.readHead()
            for _ in 0..<3 { #expect(try await connection.readChunk() == Array(": ping\n\n".utf8)) }
            let writer = await opened.wait()[0]
            writer.send(event(1))
            #expect(try await readEvents(connection, 1) == ["{\"n\":1}"])
            await connection.close()
        }
    }

    @Test func `a client that leaves an idle stream is noticed`() async throws {
        let opened = Opened()
        let closed = Gate()
        try await withServer(router(opened)) { server in
            let connection = try await server.connect()
            await connection.send(get)
            _ = try await connection.readHead()
            let writer = await opened.wait()[0]
            writer.onClose { closed.open() }
            await connection.close()
            await closed.wait()
            #expect(writer.isClosed)
            #expect(!writer.send([1]))
            let late = Gate()
            writer.onClose { late.open() }
            await late.wait()
            #expect(server.metric("switchyard_http_event_streams 0"))
        }
    }

    @Test func `an owner that waits for the reader holds back little and loses nothing`() async throws {
        let opened = Opened()
        let total = 8 << 20
        let piece = [UInt8](repeating: 0x78, count: 1023) + [0x0A]
        let most = Mutex(0)
        /// Sends until 64 KiB are held back and goes on when 32 are left, as the hub does.
        @Sendable func pump(_ writer: EventStreamWriter, from start: Int) {
            var sent = start
            while sent < total {
                guard writer.bufferedBytes < 64 << 10 else {
                    let next = sent
                    return writer.onDrained(below: 32 << 10) { pump(writer, from: next) }
                }
                writer.send(piece)
                sent += piece.count
                most.withLock { $0 = max($0, writer.bufferedBytes) }
            }
            writer.finish()
        }
        try await withServer(router(opened)) { server in
            let connection = try await server.connect(receiveBufferBytes: 65_536)
            await connection.pauseReading()
            await connection.send(get)
            let writer = await opened.wait()[0]
            pump(writer, from: 0)
            await connection.resumeReading()
            _ = try await connection.readHead()
            var received = 0
            while case let chunk = try await connection.readChunk(), !chunk.isEmpty { received += chunk.count }
            #expect(received == total)
            #expect(most.withLock { $0 } <= 65 << 10)
            await connection.close()
        }
    }

    @Test func `an owner that does not wait is cut at the hard limit`() async throws {
        let opened = Opened()
        let closed = Gate()
        try await withServer(router(opened)) { server in
            let connection = try await server.connect(receiveBufferBytes: 4096)
            await connection.pauseReading()
            await connection.send(get)
            let writer = await opened.wait()[0]
            writer.onClose { closed.open() }
            var sent = 0
            while writer.send([UInt8](repeating: 0x78, count: 16_384)), sent < 64 << 20 { sent += 16_384 }
            await closed.wait()
            #expect(sent < 8 << 20)
            #expect(writer.isClosed)
            #expect(server.metric("switchyard_http_event_streams_overflown_total 1"))
            await connection.close()
        }
    }

    @Test func `a reader that takes nothing is disconnected`() async throws {
        let opened = Opened()
        let closed = Gate()
        try await withServer(router(opened), configure: { $0.writeStallTimeout = .milliseconds(200) }) { server in
            let connection = try await server.connect(receiveBufferBytes: 4096)
            await connection.pauseReading()
            await connection.send(get)
            let writer = await opened.wait()[0]
            writer.onClose { closed.open() }
            writer.send([UInt8](repeating: 0x78, count: 4 << 20))
            await closed.wait()
            await connection.close()
        }
    }

    @Test func `two thousand streams receive every event`() async throws {
        let opened = Opened()
        let streams = 2000
        try await withServer(router(opened), loops: 2) { server in
            var connections: [TestConnection] = []
            for _ in 0..<streams {
                let connection = try await server.connect()
                await connection.post(Array(get.utf8))
                connections.append(connection)
            }
            let writers = await opened.wait(for: streams)
            #expect(server.metric("switchyard_http_event_streams \(streams)"))
            server.clients.execute {
                for number in 0..<5 {
                    let bytes = event(number)
                    for writer in writers { writer.send(bytes) }
                }
            }
            for connection in connections {
                _ = try await connection.readHead()
                #expect(try await readEvents(connection, 5) == (0..<5).map { "{\"n\":\($0)}" })
            }
            for connection in connections { await connection.close() }
        }
    }
}
