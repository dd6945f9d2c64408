// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Testing

/// Deadlines are absolute: a client that sends a byte now and then meets them like a silent one.
@Suite(.timeLimit(.minutes(1)))
struct DeadlineTests {
    /// Sends a byte whenever the kernel took the last one, until the server answers.
    private func drip(_ connection: TestConnection, _ bytes: [UInt8]) async -> Task<Void, Never> {
        Task {
            while !Task.isCancelled {
                await connection.send(bytes)
                await Task.yield()
            }
        }
    }

    @Test func `a head that drips gets 408`() async throws {
        try await withServer(
            makeRouter(),
            configure: {
                $0.headTimeout = .milliseconds(200)
                $0.maxHeadBytes = 1 << 30
            }
        ) { server in
            let start = ContinuousClock.now
            let connection = try await server.connect()
            await connection.send("GET /plain HTTP/1.1\r\nHost: a\r\nX: ")
            let dripping = await drip(connection, [0x78])
            let response = try await connection.readResponse()
            dripping.cancel()
            #expect(response.status == 408)
            #expect(response.body.contains("request_timeout"))
            #expect(start.duration(to: .now) >= .milliseconds(190))
            await connection.close()
            await dripping.value
        }
    }

    @Test func `a body that drips gets 408, by the route's own deadline`() async throws {
        var router = Router()
        router.on(.post, "/", policy: RequestPolicy(bodyTimeout: .milliseconds(200))) { request in
            do throws(HTTPServerError) {
                return ServerResponse(.ok, body: .bytes(try await request.body.collect()))
            } catch {
                return ServerResponse(.badRequest)
            }
        }
        // The sweep is as fine as the server's own shortest deadline.
        try await withServer(router, configure: { $0.headTimeout = .milliseconds(200) }) { server in
            let connection = try await server.connect()
            await connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
            let response = try await connection.readResponse()
            #expect(response.status == 408)
            #expect(await connection.readToEnd().isEmpty)
            await connection.close()
        }
    }

    @Test func `a stream outlasts the deadline of a body that it did not wait for`() async throws {
        var router = Router()
        router.on(.get, "/", policy: RequestPolicy(bodyTimeout: .milliseconds(200))) { _ in
            ServerResponse.eventStream(heartbeat: .milliseconds(100)) { _ in }
        }
        try await withServer(router, configure: { $0.headTimeout = .milliseconds(200) }) { server in
            let connection = try await server.connect()
            await connection.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc")
            #expect(try await connection.readHead().status == 200)
            // More heartbeats than fit before the deadline.
            for _ in 0..<6 { #expect(try await !connection.readChunk().isEmpty) }
            await connection.close()
        }
    }

    @Test func `silence is ended without a word, at first and between requests`() async throws {
        try await withServer(
            makeRouter(),
            configure: {
                $0.headTimeout = .seconds(2)
                $0.idleTimeout = .seconds(2)
            }
        ) { server in
            let silent = try await server.connect()
            #expect(await silent.readToEnd().isEmpty)
            await silent.close()
            let idle = try await server.connect()
            await idle.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await idle.readResponse().status == 200)
            #expect(await idle.readToEnd().isEmpty)
            await idle.close()
        }
    }

    @Test func `after the last answer the client's leftovers are read for a bounded time`() async throws {
        try await withServer(makeRouter(), configure: { $0.lingerTimeout = .milliseconds(100) }) { server in
            let connection = try await server.connect()
            await connection.send("BREW / HTTP/1.1\r\n\r\n")
            #expect(try await connection.readResponse().status == 501)
            let dripping = await drip(connection, [0x78])
            await dripping.value(orEndOf: connection)
            #expect(server.metric("switchyard_http_connections 0"))
            await connection.close()
        }
    }
}

extension Task where Success == Void, Failure == Never {
    /// Waits until the server has cut the connection, then stops the task.
    fileprivate func value(orEndOf connection: TestConnection) async {
        while await !connection.wasReset { await Task<Never, Never>.yield() }
        cancel()
        await value
    }
}
