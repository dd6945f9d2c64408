// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BodyTests {
    private func post(to path: String = "/echo", _ fields: String, _ body: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)"
    }

    @Test(arguments: [0, 1, 5, 300_000, 1 << 20])
    func `a body comes back whole, with a length and in chunks`(count: Int) async throws {
        let body = String(repeating: "0123456789abcdef", count: count / 16 + 1).prefix(count)
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.post(Array(post("Content-Length: \(count)\r\n", String(body)).utf8))
            #expect(try await connection.readResponse().body == body)
            var chunks = ""
            var rest = body[...]
            while !rest.isEmpty {
                let part = rest.prefix(70_000)
                rest = rest.dropFirst(part.count)
                chunks += "\(String(part.utf8.count, radix: 16));ext=\"a;b\"\r\n\(part)\r\n"
            }
            let text = post("Transfer-Encoding: chunked\r\nTrailer: X\r\n", chunks + "000\r\nX: y\r\nZ: 1\r\n\r\n")
            await connection.post(Array((text + "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n").utf8))
            #expect(try await connection.readResponse().body == body)
            #expect(try await connection.readResponse().body == "hello")
            await connection.close()
        }
    }

    @Test func `a chunked body byte by byte comes back whole`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            let text = post(
                "Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n")
            for byte in text.utf8 { await connection.send([byte]) }
            #expect(try await connection.readResponse().body == "hello 0123456789")
            await connection.close()
        }
    }

    @Test func `a client that expects 100 gets it when the body is asked for`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send(post("Content-Length: 5\r\nExpect: 100-Continue\r\n"))
            #expect(try await connection.readHead().status == 100)
            await connection.send("hello")
            #expect(try await connection.readResponse().body == "hello")
            await connection.send(post(to: "/ignore", "Content-Length: 5\r\nExpect: 100-continue\r\n"))
            let refused = try await connection.readResponse()
            #expect(refused.status == 401)
            #expect(refused.fields["connection"] == "close")
            #expect(await connection.readToEnd().isEmpty)
            await connection.close()
        }
    }

    @Test func `an announced body over the limit is refused before it is sent`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send(post("Content-Length: 99999999\r\nExpect: 100-continue\r\n"))
            #expect(try await connection.readResponse().status == 413)
            await connection.close()
        }
    }

    @Test func `an answer that comes before the body arrives although the client goes on sending`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send(post(to: "/ignore", "Content-Length: 900000\r\n"))
            #expect(try await connection.readResponse().status == 401)
            await connection.post([UInt8](repeating: 0x78, count: 900_000))
            #expect(await connection.readToEnd().isEmpty)
            #expect(await !connection.wasReset)
            await connection.close()
        }
    }

    @Test func `what a handler does not take stays in the client`() async throws {
        let gate = Gate()
        var router = Router()
        router.on(.post, "/slow", policy: RequestPolicy(maxBodyBytes: 1 << 30)) { request in
            do throws(HTTPServerError) {
                var count = try await request.body.next()?.count ?? 0
                await gate.wait()
                while let chunk = try await request.body.next() { count += chunk.count }
                return ServerResponse(.ok, body: .bytes(Array("\(count)".utf8)))
            } catch {
                return ServerResponse(.badRequest)
            }
        }
        let total = 24 << 20
        try await withServer(router) { server in
            let connection = try await server.connect()
            await connection.post(
                Array(post(to: "/slow", "Content-Length: \(total)\r\n").utf8) + [UInt8](repeating: 0x78, count: total))
            // Another connection of the same loop answers: the loop is not busy reading.
            for _ in 0..<20 {
                #expect(try await server.exchange("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").status == 404)
            }
            let received = server.value("switchyard_http_received_bytes_total")
            #expect(received < Double(20 << 20), "the kernel's buffers hold some, but not everything")
            gate.open()
            #expect(try await connection.readResponse().body == "\(total)")
            await connection.close()
        }
    }

    @Test func `the body is an asynchronous sequence`() async throws {
        let body = RequestBody(Array("abc".utf8))
        var all: [UInt8] = []
        for try await chunk in body { all += chunk }
        #expect(all == Array("abc".utf8))
    }

    @Test func `collecting stops at the caller's own limit`() async {
        do throws(HTTPServerError) {
            _ = try await RequestBody([1, 2, 3]).collect(upTo: 2)
            Issue.record("three bytes fit into two")
        } catch {
            #expect(error.code == .bodyTooLarge)
        }
    }

    @Test func `a handler is cancelled when the client goes, unless the route must not be`() async throws {
        for isCancelled in [true, false] {
            let started = Gate()
            let ended = Gate()
            let release = Gate()
            let wasCancelled = Mutex(false)
            var router = Router()
            router.on(.get, "/long", policy: RequestPolicy(cancelsOnDisconnect: isCancelled)) { _ in
                started.open()
                if isCancelled { await release.waitOrCancellation() } else { await release.wait() }
                wasCancelled.withLock { $0 = Task.isCancelled }
                ended.open()
                return ServerResponse(.ok)
            }
            try await withServer(router) { server in
                let connection = try await server.connect()
                await connection.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
                await started.wait()
                await connection.close()
                if !isCancelled {
                    #expect(try await server.exchange("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").status == 404)
                    release.open()
                }
                await ended.wait()
                #expect(wasCancelled.withLock { $0 } == isCancelled)
            }
        }
    }
}
