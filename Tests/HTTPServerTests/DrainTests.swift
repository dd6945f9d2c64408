// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Observability
import Runtime
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DrainTests {
    @Test func `at shutdown idle connections end, requests are answered, streams are ended`() async throws {
        let started = Gate()
        let release = Gate()
        var router = makeRouter()
        router.on(.get, "/slow") { _ in
            started.open()
            await release.wait()
            return ServerResponse(.ok, body: .bytes(Array("late".utf8)))
        }
        router.on(.get, "/events") { _ in ServerResponse.eventStream(heartbeat: .seconds(60)) { _ in } }
        try await withServer(router, configure: { $0.drainTimeout = .seconds(30) }) { server in
            let idle = try await server.connect()
            await idle.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await idle.readResponse().status == 200)
            let stream = try await server.connect()
            await stream.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await stream.readHead().status == 200)
            let busy = try await server.connect()
            await busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            await started.wait()
            server.shutdown.trigger()
            #expect(await idle.readToEnd().isEmpty)
            #expect(try await stream.readChunk().isEmpty)
            #expect(await stream.readToEnd().isEmpty)
            release.open()
            let response = try await busy.readResponse()
            #expect(response.body == "late")
            #expect(response.fields["connection"] == "close")
            #expect(await busy.readToEnd().isEmpty)
            for connection in [idle, stream, busy] { await connection.close() }
            let refused = try await server.connect()
            #expect(await refused.readToEnd().isEmpty)
            #expect(await refused.wasReset)
            await refused.close()
        }
    }

    @Test func `what does not end by the deadline is cut and cancelled`() async throws {
        let started = Gate()
        let cancelled = Gate()
        var router = Router()
        router.on(.get, "/", policy: RequestPolicy(cancelsOnDisconnect: false)) { _ in
            started.open()
            await cancelled.waitOrCancellation()
            return ServerResponse(.ok)
        }
        try await withServer(router, configure: { $0.drainTimeout = .milliseconds(100) }) { server in
            let connection = try await server.connect()
            await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await started.wait()
            server.shutdown.trigger()
            await cancelled.wait()
            #expect(await connection.readToEnd().isEmpty)
            await connection.close()
        }
    }

    @Test func `an address that is not ours is an error that says so`() async throws {
        let group = try EventLoopGroup(count: 1)
        var configuration = ServerConfiguration()
        configuration.host = "192.0.2.1"
        let server = HTTPServer(
            configuration: configuration, group: group, handler: makeRouter(), logger: .discard,
            metrics: MetricsRegistry())
        do throws(HTTPServerError) {
            try await server.bind()
            Issue.record("listens on a foreign address")
        } catch {
            #expect(error.code == .cannotListen)
            #expect(error.cause?.call.description == "listen")
        }
        group.shutDown()
    }
}
