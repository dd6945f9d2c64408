// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPClient
import Runtime
import Synchronization
import TestSupport
import Testing

/// Deadlines, back-pressure, cancellation, the address guard.
@Suite(.timeLimit(.minutes(1)))
struct HTTPClientLifetimeTests {
    private let streamHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func `a server that never answers meets the first-byte deadline, and is told`() async throws {
        let left = Gate()
        try await withClient { connection in
            _ = try connection.readRequest()
            connection.waitForPeerToLeave()
            left.open()
        } _: { client, server in
            let limits = HTTPClientTimeLimits(firstByte: .milliseconds(50))
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: server.url(), limits: limits))
            }
            #expect(error?.code == .firstByteTimeout)
            #expect(error?.mayHaveReachedServer == true)
            await left.wait()
        }
    }

    @Test func `a body that falls silent meets the idle deadline after its bytes`() async throws {
        try await withClient { [streamHead] connection in
            _ = try connection.readRequest()
            try connection.send(streamHead + "4\r\nhalf\r\n")
            connection.waitForPeerToLeave()
        } _: { client, server in
            let limits = HTTPClientTimeLimits(idle: .milliseconds(50))
            let response = try await client.open(HTTPClientRequest(.get, url: server.url(), limits: limits))
            let (text, error) = await read(response.body)
            #expect(text == "half")
            #expect(error?.code == .idleTimeout)
        }
    }

    @Test func `a body that goes on for ever meets the total deadline`() async throws {
        try await withClient { [streamHead] connection in
            _ = try connection.readRequest()
            try connection.send(streamHead)
            while true { try connection.send("4\r\nmore\r\n") }
        } _: { client, server in
            let limits = HTTPClientTimeLimits(deadline: .now + .milliseconds(100))
            let error = await failure { () async throws(HTTPClientError) in
                let response = try await client.open(HTTPClientRequest(.get, url: server.url(), limits: limits))
                for try await _ in response.body {}
            }
            #expect(error?.code == .totalTimeout)
        }
    }

    @Test func `a listener that does not accept meets the connect deadline or the first-byte deadline`() async throws {
        // Backlog 0 and nobody accepting: once the queue is full, the kernel drops further SYNs.
        let listener = try Socket.listen(host: "127.0.0.1", port: 0, sharingPort: false, backlog: 0)
        defer { Socket.close(listener) }
        let port = try Socket.localAddress(of: listener).port
        var fillers: [Int32] = []
        for _ in 0..<8 { fillers.append(try Socket.connect(numericHost: "127.0.0.1", port: port)) }
        defer { for filler in fillers { Socket.close(filler) } }
        try await withClient { _ in
        } _: { client, _ in
            let limits = HTTPClientTimeLimits(connect: .milliseconds(50), firstByte: .milliseconds(50))
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: "http://127.0.0.1:\(port)/", limits: limits))
            }
            #expect(error?.code == .connectTimeout)
            #expect(error?.mayHaveReachedServer == false)
        }
    }

    @Test func `a slow reader holds the server back, costs bounded memory, and gets everything`() async throws {
        let total = 64 << 20
        let sent = Recorder(0)
        let isHeldBack = Gate()
        try await withClient(highWaterBytes: 64 << 10) { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            var block = [UInt8](repeating: 0, count: 1 << 16)
            for index in block.indices { block[index] = UInt8(truncatingIfNeeded: index &* 31) }
            var position = 0
            while position < total {
                let offset = position % block.count
                guard let count = try connection.sendSome(block[offset...], patience: .milliseconds(1300)) else {
                    isHeldBack.open()
                    continue
                }
                position += count
                let now = position
                sent.withLock { $0 = now }
            }
            connection.waitForPeerToLeave()
        } _: { client, server in
            // Shorter than the server's patience: being held back must not count as the server's silence.
            let limits = HTTPClientTimeLimits(idle: .seconds(1))
            let response = try await client.open(HTTPClientRequest(.get, url: server.url(), limits: limits))
            var body = response.body.makeAsyncIterator()
            var received = try #require(try await body.next()).count
            await isHeldBack.wait()
            // What the kernel buffers of both sides hold, and our 64 KiB.
            #expect(sent.withLock { $0 } < 24 << 20)
            var isInOrder = true
            while let chunk = try await body.next() {
                #expect(chunk.count <= (64 << 10) + (16 << 10))
                if chunk[0] != UInt8(truncatingIfNeeded: (received % (1 << 16)) &* 31) { isInOrder = false }
                received += chunk.count
            }
            #expect(received == total)
            #expect(isInOrder)
        }
    }

    @Test func `cancelling the reading task closes the connection`() async throws {
        let left = Gate()
        let isReading = Gate()
        try await withClient { [streamHead] connection in
            _ = try connection.readRequest()
            try connection.send(streamHead + "4\r\nhalf\r\n")
            connection.waitForPeerToLeave()
            left.open()
        } _: { client, server in
            let codes = await withTaskGroup(of: HTTPClientError.Code?.self) { group in
                group.addTask {
                    do throws(HTTPClientError) {
                        let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
                        for try await _ in response.body { isReading.open() }
                        return nil
                    } catch { return error.code }
                }
                await isReading.wait()
                group.cancelAll()
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes == [.cancelled])
            await left.wait()
        }
    }

    @Test func `cancelling while the head is awaited closes the connection`() async throws {
        let left = Gate()
        let hasRequest = Gate()
        try await withClient { connection in
            _ = try connection.readRequest()
            hasRequest.open()
            connection.waitForPeerToLeave()
            left.open()
        } _: { client, server in
            let codes = await withTaskGroup(of: HTTPClientError.Code?.self) { group in
                group.addTask {
                    await failure { () async throws(HTTPClientError) in
                        try await client.open(HTTPClientRequest(.get, url: server.url()))
                    }?.code
                }
                await hasRequest.wait()
                group.cancelAll()
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes == [.cancelled])
            await left.wait()
        }
    }

    @Test func `a task that is cancelled already sends nothing`() async throws {
        try await withClient { _ in
        } _: { client, server in
            let codes = await withTaskGroup(of: HTTPClientError.Code?.self) { group in
                group.cancelAll()
                group.addTask {
                    await failure { () async throws(HTTPClientError) in
                        try await client.open(HTTPClientRequest(.get, url: server.url()))
                    }?.code
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes == [.cancelled])
            #expect(server.acceptedCount == 0)
        }
    }

    @Test func `dropping the body closes the connection`() async throws {
        let left = Gate()
        try await withClient { [streamHead] connection in
            _ = try connection.readRequest()
            try connection.send(streamHead + "4\r\nhalf\r\n")
            connection.waitForPeerToLeave()
            left.open()
        } _: { client, server in
            let status = try await client.open(HTTPClientRequest(.get, url: server.url())).status
            #expect(status == .ok)
            await left.wait()
        }
    }

    @Test func `shutting down ends what is under way and refuses what comes`() async throws {
        try await withClient { [streamHead] connection in
            _ = try connection.readRequest()
            try connection.send(streamHead + "4\r\nhalf\r\n")
            connection.waitForPeerToLeave()
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            await client.shutDown()
            let (text, error) = await read(response.body)
            #expect(text == "half" || text == "")
            #expect(error?.code == .cancelled)
            let later = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: server.url()))
            }
            #expect(later?.code == .cancelled)
        }
    }

    @Test func `a client that is dropped closes the connections it has kept`() async throws {
        let left = Gate()
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.waitForPeerToLeave()
            left.open()
        }
        let loop = try EventLoop(name: "test")
        do {
            let client = HTTPClient(loops: [loop], configuration: HTTPClientConfiguration(userAgent: "switchyard/test"))
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            #expect(await read(response.body).text == "ok")
            #expect(!left.isOpen)
        }
        await left.wait()
        server.stop()
        loop.shutDown()
    }

    @Test(arguments: ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"])
    func `a guarded request does not connect to this machine, whatever it is called`(_ host: String) async throws {
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        } _: { client, server in
            let url = "http://\(host):\(server.port)/"
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: url, addressPolicy: .publicOnly))
            }
            #expect(error?.code == .addressForbidden)
            #expect(error?.mayHaveReachedServer == false)
            #expect(server.acceptedCount == 0)
        }
    }

    @Test func `a guarded request does not use a connection that an unguarded one has made`() async throws {
        let requestCount = Recorder(0)
        try await withClient { connection in
            while true {
                _ = try connection.readRequest()
                requestCount.withLock { $0 += 1 }
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            #expect(await read(response.body).text == "ok")
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: server.url(), addressPolicy: .publicOnly))
            }
            #expect(error?.code == .addressForbidden)
            #expect(error?.mayHaveReachedServer == false)
            #expect(requestCount.withLock { $0 } == 1)
        }
    }
}
