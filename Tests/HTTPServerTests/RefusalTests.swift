// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Testing

/// Raw bytes that must be answered before any route, and how.
@Suite(.timeLimit(.minutes(1)))
struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: String
        let status: Int
        let code: String

        init(_ name: String, _ bytes: String, _ status: Int, _ code: String = "validation_failed") {
            testDescription = name
            self.bytes = bytes
            self.status = status
            self.code = code
        }
    }

    private static func get(_ fields: String, target: String = "/plain", version: String = "HTTP/1.1") -> String {
        "GET \(target) \(version)\r\n\(fields)\r\n"
    }

    private static func post(_ fields: String, _ body: String = "") -> String {
        "POST /echo HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)"
    }

    static let cases = [
        Case("length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
        Case("chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400),
        Case("two different lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400),
        Case("two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400),
        Case("list of lengths", post("Content-Length: 5, 5\r\n", "hello"), 400),
        Case("length with sign", post("Content-Length: +5\r\n", "hello"), 400),
        Case("negative length", post("Content-Length: -5\r\n", "hello"), 400),
        Case("length in hexadecimal", post("Content-Length: 0x5\r\n", "hello"), 400),
        Case("empty length", post("Content-Length:\r\n", "hello"), 400),
        Case("length beyond 64 bits", post("Content-Length: 99999999999999999999\r\n"), 400),
        Case("length beyond Int", post("Content-Length: 18446744073709551615\r\n"), 413, "payload_too_large"),
        Case("blank before colon", get("Host : a\r\n"), 400),
        Case("blank before name", get(" Host: a\r\n"), 400),
        Case("bare line feeds", "GET /plain HTTP/1.1\nHost: a\n\n", 400),
        Case("bare line feed in fields", "GET /plain HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
        Case("bare carriage returns", "GET /plain HTTP/1.1\rHost: a\r\r", 400),
        Case("carriage return in a value", get("Host: a\r\nX: a\rb\r\n"), 400),
        Case("no host", get(""), 400),
        Case("two hosts", get("Host: a\r\nHost: a\r\n"), 400),
        Case("host with blank", get("Host: a b\r\n"), 400),
        Case("host with slash", get("Host: a/b\r\n"), 400),
        Case("NUL in target", get("Host: a\r\n", target: "/a\u{0}b"), 400),
        Case("encoded NUL in target", get("Host: a\r\n", target: "/a%00b"), 400),
        Case("broken escape in target", get("Host: a\r\n", target: "/a%2"), 400),
        Case("dot segments", get("Host: a\r\n", target: "/a/../plain"), 400),
        Case("encoded dot segments", get("Host: a\r\n", target: "/a/%2e%2e/plain"), 400),
        Case("fragment", get("Host: a\r\n", target: "/plain#x"), 400),
        Case("target without slash", get("Host: a\r\n", target: "plain"), 400),
        Case("bytes over ASCII in target", get("Host: a\r\n", target: "/ü"), 400),
        Case("NUL in a value", get("Host: a\r\nX: a\u{0}b\r\n"), 400),
        Case("escape in a value", get("Host: a\r\nX: a\u{1B}b\r\n"), 400),
        Case("NUL in a name", get("Host: a\r\nX\u{0}: b\r\n"), 400),
        Case("garbage chunk size", post("Transfer-Encoding: chunked\r\n", "xyz\r\nhello\r\n0\r\n\r\n"), 400),
        Case("signed chunk size", post("Transfer-Encoding: chunked\r\n", "+5\r\nhello\r\n0\r\n\r\n"), 400),
        Case("hexadecimal mark in chunk size", post("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n"), 400),
        Case("empty chunk size", post("Transfer-Encoding: chunked\r\n", "\r\nhello\r\n0\r\n\r\n"), 400),
        Case("chunk size over 64 bits", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400),
        Case("chunk longer than its size", post("Transfer-Encoding: chunked\r\n", "3\r\nhello\r\n0\r\n\r\n"), 400),
        Case("chunk with bare line feed", post("Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n"), 400),
        Case("coding list", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), 400),
        Case("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400),
        Case("chunked in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
        Case("not chunked last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400),
        Case("unknown coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, "not_implemented"),
        Case("coding with control byte", post("Transfer-Encoding: \u{0B}chunked\r\n", "0\r\n\r\n"), 400),
        Case(
            "coding in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        Case("empty name", get("Host: a\r\n: b\r\n"), 400),
        Case("folded line", get("Host: a\r\nX: a\r\n b\r\n"), 400),
        Case("folded line with tab", get("Host: a\r\nX: a\r\n\tb\r\n"), 400),
        Case("name without colon", get("Host: a\r\nFoo\r\n"), 400),
        Case("HTTP/0.9", "GET /plain\r\n", 400),
        Case("version 0.9", get("Host: a\r\n", version: "HTTP/0.9"), 505, "version_not_supported"),
        Case("version 1.2", get("Host: a\r\n", version: "HTTP/1.2"), 505, "version_not_supported"),
        Case("version 2.0", get("Host: a\r\n", version: "HTTP/2.0"), 505, "version_not_supported"),
        Case("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
        Case("version in small letters", get("Host: a\r\n", version: "http/1.1"), 400),
        Case("version of a single number", get("Host: a\r\n", version: "HTTP/1"), 400),
        Case("two blanks", "GET  /plain HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Case("two blanks before version", "GET /plain  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Case("blank first", " GET /plain HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Case("tab for blank", "GET\t/plain HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Case("unknown method", "BREW /plain HTTP/1.1\r\nHost: a\r\n\r\n", 501, "not_implemented"),
        Case("method in small letters", "get /plain HTTP/1.1\r\nHost: a\r\n\r\n", 501, "not_implemented"),
        Case("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "not_implemented"),
        Case("TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "not_implemented"),
        Case("a TLS greeting", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400),
        Case("a method without end", String(repeating: "A", count: 100), 400),
        Case("long target", get("Host: a\r\n", target: "/" + String(repeating: "a", count: 8192)), 414, "uri_too_long"),
        Case(
            "100 kB of fields", get("Host: a\r\nX: \(String(repeating: "a", count: 100_000))\r\n"), 431,
            "headers_too_large"),
        Case("200 fields", get("Host: a\r\n" + String(repeating: "X: y\r\n", count: 200)), 431, "headers_too_large"),
        Case(
            "33 kB in one line", get("Host: a\r\nX: \(String(repeating: "a", count: 33_000))\r\n"), 431,
            "headers_too_large"),
        Case("announced body over the limit", post("Content-Length: 1048577\r\n"), 413, "payload_too_large"),
        Case(
            "chunks over the limit",
            post("Transfer-Encoding: chunked\r\n", "100001\r\n" + String(repeating: "x", count: 0x100001)), 413,
            "payload_too_large"),
        Case(
            "endless trailers",
            post("Transfer-Encoding: chunked\r\n", "0\r\n" + String(repeating: "X: yyyyyyyyyyyyy\r\n", count: 4000)),
            431, "headers_too_large"),
        Case(
            "endless chunk extensions",
            post("Transfer-Encoding: chunked\r\n", "1;x=\(String(repeating: "y", count: 40_000))\r\nx\r\n"), 431,
            "headers_too_large"),
        Case("no such path", get("Host: a\r\n", target: "/nothing"), 404, "not_found"),
        Case("no such method here", "DELETE /plain HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed"),
    ]

    private func check(_ response: TestConnection.Response, _ test: Case) {
        #expect(response.status == test.status)
        #expect(response.fields["content-type"] == "application/json; charset=utf-8")
        let id = response.fields["x-request-id"] ?? "missing"
        #expect(response.body.hasPrefix("{\"success\":false,\"error\":\""))
        #expect(response.body.hasSuffix("\"code\":\"\(test.code)\",\"requestId\":\"\(id)\",\"data\":null}"))
    }

    @Test func `bad input gets its status in the error envelope and then the end, never a reset`() async throws {
        try await withServer(makeRouter()) { server in
            for test in Self.cases {
                let connection = try await server.connect()
                await connection.post(Array(test.bytes.utf8))
                do {
                    let response = try await connection.readResponse()
                    check(response, test)
                    if test.status != 404 && test.status != 405 {
                        #expect(response.fields["connection"] == "close", "\(test.testDescription)")
                        #expect(await connection.readToEnd().isEmpty, "\(test.testDescription)")
                    }
                } catch {
                    Issue.record("\(test.testDescription): \(error)")
                }
                #expect(await !connection.wasReset, "\(test.testDescription)")
                await connection.close()
            }
        }
    }

    @Test func `the same input byte by byte gets the same answers`() async throws {
        try await withServer(makeRouter()) { server in
            for test in Self.cases where test.bytes.utf8.count < 500 {
                let connection = try await server.connect()
                for byte in test.bytes.utf8 { await connection.send([byte]) }
                do {
                    check(try await connection.readResponse(), test)
                } catch {
                    Issue.record("\(test.testDescription): \(error)")
                }
                await connection.close()
            }
        }
    }

    @Test func `refusals are counted by kind`() async throws {
        try await withServer(makeRouter()) { server in
            _ = try await server.exchange("GET /plain HTTP/2.0\r\n\r\n")
            _ = try await server.exchange("GET / HTTP/1.1\r\n\r\n")
            #expect(server.metric("switchyard_http_refusals_total{kind=\"version_unknown\"} 1"))
            #expect(server.metric("switchyard_http_refusals_total{kind=\"malformed\"} 1"))
            #expect(server.metric("switchyard_http_requests_total{class=\"4xx\"} 1"))
            #expect(server.metric("switchyard_http_requests_total{class=\"5xx\"} 1"))
        }
    }

    @Test func `a request cut off by the client's end is told so`() async throws {
        try await withServer(makeRouter()) { server in
            for text in ["GET /pla", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhel"] {
                let connection = try await server.connect()
                await connection.send(text)
                try await connection.shutDownSending()
                #expect(try await connection.readResponse().status == 400)
                await connection.close()
            }
        }
    }

    @Test func `over the limit of connections the answer is 503`() async throws {
        try await withServer(makeRouter(), configure: { $0.maxConnections = 1 }) { server in
            let first = try await server.connect()
            await first.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await first.readResponse().status == 200)
            let second = try await server.connect()
            let refused = try await second.readResponse()
            #expect(refused.status == 503)
            #expect(refused.fields["retry-after"] == "1")
            await second.close()
            await first.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await first.readResponse().status == 200)
            await first.close()
        }
    }
}
