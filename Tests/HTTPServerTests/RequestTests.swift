// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Runtime
import Testing

@Suite(.timeLimit(.minutes(1)))
struct RequestTests {
    private let get = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func `a connection serves one request after the other`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            for number in 0..<50 {
                await connection.send("GET /items/\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = try await connection.readResponse()
                #expect(response.status == 200)
                #expect(response.body == "\(number)")
                #expect(response.fields["connection"] == nil)
                #expect(response.fields["date"]?.hasSuffix(" GMT") == true)
            }
            #expect(server.metric("switchyard_http_connections 1"))
            await connection.close()
        }
    }

    @Test(arguments: [3, 200])
    func `pipelined requests are answered in order`(count: Int) async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            var text = ""
            for number in 0..<count {
                text +=
                    number % 3 == 2
                    ? "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nbody!"
                    : "GET /items/\(number) HTTP/1.1\r\nHost: a\r\n\r\n"
            }
            await connection.post(Array(text.utf8))
            for number in 0..<count {
                #expect(try await connection.readResponse().body == (number % 3 == 2 ? "body!" : "\(number)"))
            }
            await connection.close()
        }
    }

    @Test func `pipelined requests are answered although the client has ended its side`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send(get + get + get)
            try await connection.shutDownSending()
            for _ in 0..<3 { #expect(try await connection.readResponse().body == "hello") }
            #expect(await connection.readToEnd() == "")
            await connection.close()
        }
    }

    @Test(arguments: [
        "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET /plain?x=%20&y HTTP/1.1\r\nhOsT:a\r\nX-Empty:\r\nX-Blank:  \t \r\n\r\n",
        "GET http://elsewhere/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /plain HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /plain HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "GET /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    ])
    func `unusual but valid requests are answered, and the connection goes on`(request: String) async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            for _ in 0..<2 {
                await connection.send(request)
                let response = try await connection.readResponse()
                #expect(response.status == 200)
                #expect(response.body == "hello")
            }
            for byte in request.utf8 { await connection.send([byte]) }
            #expect(try await connection.readResponse().status == 200)
            await connection.close()
        }
    }

    @Test func `an offered upgrade with a body is ignored and the body is read`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            let head =
                "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n"
            await connection.send(head + "ab" + head + "cd")
            #expect(try await connection.readResponse().body == "ab")
            #expect(try await connection.readResponse().body == "cd")
            await connection.close()
        }
    }

    @Test func `HEAD gets the head of GET and no body`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send(
                "HEAD /plain HTTP/1.1\r\nHost: a\r\n\r\nHEAD /counted HTTP/1.1\r\nHost: a\r\n\r\n" + get)
            let head = try await connection.readResponse(toHead: true)
            #expect(head.status == 200)
            #expect(head.fields["content-length"] == "5")
            let streamed = try await connection.readResponse(toHead: true)
            #expect(streamed.fields["transfer-encoding"] == "chunked")
            #expect(try await connection.readResponse().body == "hello")
            await connection.send("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + get)
            #expect(try await connection.readResponse(toHead: true).status == 404)
            #expect(try await connection.readResponse().body == "hello")
            await connection.close()
        }
    }

    @Test func `HTTP 1.0 connections end unless they ask to stay`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send("GET /plain HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            #expect(try await connection.readResponse().fields["connection"] == "keep-alive")
            await connection.send("GET /counted HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            let streamed = try await connection.readResponse()
            #expect(streamed.fields["connection"] == "close")
            #expect(streamed.fields["transfer-encoding"] == nil)
            #expect(streamed.body == (0..<1000).map { "\($0)\n" }.joined())
            await connection.close()
            let other = try await server.connect()
            await other.send("GET /plain HTTP/1.0\r\n\r\n")
            #expect(try await other.readResponse().fields["connection"] == "close")
            #expect(await other.readToEnd().isEmpty)
            await other.close()
        }
    }

    @Test func `Connection close ends the connection after the answer`() async throws {
        try await withServer(makeRouter()) { server in
            let connection = try await server.connect()
            await connection.send("GET /plain HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n" + get)
            #expect(try await connection.readResponse().fields["connection"] == "close")
            #expect(await connection.readToEnd().isEmpty)
            await connection.close()
        }
    }

    @Test(arguments: [
        ("abc-1.2_3", true), (String(repeating: "x", count: 64), true), (String(repeating: "x", count: 65), false),
        ("a b", false), ("a\"b", false), ("ü", false),
    ])
    func `a valid request id is kept and another replaced`(id: String, isKept: Bool) async throws {
        try await withServer(makeRouter()) { server in
            let response = try await server.exchange("GET /plain HTTP/1.1\r\nHost: a\r\nX-Request-Id: \(id)\r\n\r\n")
            let answered = response.fields["x-request-id"] ?? ""
            if isKept { #expect(answered == id) } else { #expect(answered.count == 36) }
        }
    }

    @Test func `a streamed answer comes whole and in order`() async throws {
        try await withServer(makeRouter()) { server in
            let response = try await server.exchange("GET /counted HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(response.fields["transfer-encoding"] == "chunked")
            #expect(response.body == (0..<1000).map { "\($0)\n" }.joined())
        }
    }

    @Test func `fields that frame the answer cannot come from a handler`() async throws {
        var router = Router()
        router.on(.get, "/") { _ in
            ServerResponse(
                .ok,
                fields: ["Content-Length": "99", "transfer-encoding": "chunked", "Connection": "upgrade", "A": "b"],
                body: .bytes([0x61]))
        }
        router.on(.get, "/none") { _ in ServerResponse(.noContent, body: .bytes([0x61])) }
        try await withServer(router) { server in
            let connection = try await server.connect()
            await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try await connection.readResponse()
            #expect(response.fields["content-length"] == "1")
            #expect(response.fields["transfer-encoding"] == nil)
            #expect(response.fields["a"] == "b")
            let none = try await connection.readResponse()
            #expect(none.status == 204)
            #expect(none.fields["content-length"] == nil)
            await connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await connection.readResponse().body == "a")
            await connection.close()
        }
    }

    @Test func `several loops share one port and IPv6 works`() async throws {
        try await withServer(makeRouter(), loops: 2, configure: { $0.host = "::1" }) { server in
            #expect(server.address.host == "::1")
            for _ in 0..<20 {
                let response = try await server.exchange(get)
                #expect(response.body == "hello")
            }
        }
    }
}
