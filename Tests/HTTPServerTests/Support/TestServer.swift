// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Observability
import Runtime

/// A server on a free port with loops of its own, and clients on another loop.
struct TestServer: Sendable {
    let server: HTTPServer
    let address: SocketAddress
    let shutdown: ShutdownSignal
    let metrics: MetricsRegistry
    let clients: EventLoop

    func connect(receiveBufferBytes: Int32? = nil) async throws -> TestConnection {
        try await TestConnection(to: address, on: clients, receiveBufferBytes: receiveBufferBytes)
    }

    /// Sends one request on a connection of its own and reads one answer.
    func exchange(_ text: String) async throws -> TestConnection.Response {
        let connection = try await connect()
        await connection.send(text)
        let response = try await connection.readResponse()
        await connection.close()
        return response
    }

    /// The value of a metric without labels.
    func value(_ metric: String) -> Double {
        let line = metrics.prometheusText().split(separator: "\n").first { $0.hasPrefix(metric + " ") }
        return line?.split(separator: " ").last.flatMap { Double($0) } ?? -1
    }

    func metric(_ line: String) -> Bool { metrics.prometheusText().split(separator: "\n").contains { $0 == line } }
}

/// Runs a body against a server and ends the server in order afterwards.
func withServer(
    _ handler: any HTTPHandler, loops: Int = 1, configure: (inout ServerConfiguration) -> Void = { _ in },
    _ body: sending @escaping (TestServer) async throws -> Void
) async throws {
    var configuration = ServerConfiguration()
    configuration.port = 0
    configuration.drainStreamGrace = .zero
    configuration.drainTimeout = .seconds(2)
    configure(&configuration)
    let group = try EventLoopGroup(count: loops)
    let clients = try EventLoop(name: "clients")
    let metrics = MetricsRegistry()
    let server = HTTPServer(
        configuration: configuration, group: group, handler: handler, logger: .discard, metrics: metrics)
    try await server.bind()
    guard let address = server.address else { throw HTTPServerError(.cannotListen) }
    let shutdown = ShutdownSignal()
    let test = TestServer(
        server: server, address: address, shutdown: shutdown, metrics: metrics, clients: clients)
    async let run: Void = server.run(shutdown)
    do {
        try await body(test)
    } catch {
        shutdown.trigger()
        try await run
        throw error
    }
    shutdown.trigger()
    try await run
    group.shutDown()
    clients.shutDown()
}

/// Echoes and counts, the routes most tests need.
func makeRouter() -> Router {
    var router = Router()
    router.on(.get, "/plain") { _ in
        ServerResponse(.ok, fields: [.contentType: "text/plain"], body: .bytes(Array("hello".utf8)))
    }
    router.on(.get, "/items/:id") { request in
        ServerResponse(.ok, body: .bytes(Array((request.parameters["id"] ?? "").utf8)))
    }
    router.on(.post, "/echo", policy: RequestPolicy(maxBodyBytes: 1 << 20)) { request in
        do throws(HTTPServerError) {
            return ServerResponse(.ok, body: .bytes(try await request.body.collect()))
        } catch {
            return ServerResponse(.badRequest, body: .bytes(Array(error.code.rawValue.utf8)))
        }
    }
    router.on(.post, "/ignore") { _ in ServerResponse(.unauthorized) }
    router.on(.get, "/counted") { _ in
        ServerResponse(
            .ok,
            body: .stream { writer in
                for number in 0..<1000 { try await writer.write(Array("\(number)\n".utf8)) }
            })
    }
    return router
}
