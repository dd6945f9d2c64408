// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPClient
import Observability
import Runtime
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPClientTests {
    @Test func `a response with a length comes whole, and the request goes out as given`() async throws {
        let seen = Recorder<[String]>([])
        try await withClient { connection in
            let request = try connection.readRequest()
            seen.withLock { $0.append(request) }
            try connection.send("HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello")
            connection.waitForPeerToLeave()
        } _: { client, server in
            let response = try await client.open(
                HTTPClientRequest(
                    .post, url: server.url("/v1/x?y=1"),
                    fields: [
                        "Content-Type": "application/json", "Authorization": "Bearer k", "Expect": "100-continue",
                    ],
                    body: Array("{}".utf8)))
            #expect(response.status == .created)
            #expect(response.fields.values("x-a") == ["1", "2"])
            #expect(try await response.body.collect(upTo: 5) == Array("hello".utf8))
        }
        let request = try #require(seen.withLock { $0 }.first)
        #expect(request.hasPrefix("POST /v1/x?y=1 HTTP/1.1\r\n"))
        #expect(request.contains("\r\nUser-Agent: switchyard/test\r\n"))
        #expect(request.contains("\r\nContent-Length: 2\r\n"))
        #expect(request.contains("\r\nAuthorization: Bearer k\r\n"))
        #expect(!request.lowercased().contains("expect:"))
        #expect(request.hasSuffix("\r\n\r\n{}"))
    }

    @Test func `chunks are decoded, interim heads and trailers left out`() async throws {
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try connection.send("3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n")
            connection.waitForPeerToLeave()
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            #expect(response.status == .ok)
            #expect(response.fields["Link"] == nil)
            let (text, error) = await read(response.body)
            #expect(text == "abcdefg")
            #expect(error == nil)
        }
    }

    @Test func `the head is there before the body is`() async throws {
        let mayGoOn = Gate()
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            mayGoOn.waitBlocking()
            try connection.send("ok")
            connection.waitForPeerToLeave()
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            mayGoOn.open()
            #expect(await read(response.body).text == "ok")
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    ])
    func `a body that is cut brings what came and then an error`(_ answer: String) async throws {
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send(answer)
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            let (text, error) = await read(response.body)
            #expect(text == "half")
            #expect(error?.code == .connectionLost)
            #expect(error?.mayHaveReachedServer == true)
        }
    }

    @Test func `a reset in the body is a lost connection`() async throws {
        let seen = Gate()
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            seen.waitBlocking()
            try connection.reset()
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            var body = response.body.makeAsyncIterator()
            #expect(try await body.next() == Array("half".utf8))
            seen.open()
            let error = await failure { () async throws(HTTPClientError) in try await body.next() }
            #expect(error?.code == .connectionLost)
        }
    }

    @Test(arguments: UnacceptableHead.allCases)
    func `an answer that is no acceptable head is an error`(_ head: UnacceptableHead) async throws {
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send(head.bytes)
        } _: { client, server in
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: server.url()))
            }
            #expect(error?.code == head.code)
            #expect(error?.mayHaveReachedServer == true)
        }
    }

    @Test func `a body over the limit ends the transfer`() async throws {
        let left = Gate()
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n0123456789")
            connection.waitForPeerToLeave()
            left.open()
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            let error = await failure { () async throws(HTTPClientError) in
                try await response.body.collect(upTo: 9)
            }
            #expect(error?.code == .tooLarge)
            await left.wait()
        }
    }

    @Test func `a redirect is an answer like any other`() async throws {
        try await withClient { connection in
            _ = try connection.readRequest()
            try connection.send("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
            connection.waitForPeerToLeave()
        } _: { client, server in
            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
            #expect(response.status.code == 302)
            #expect(server.acceptedCount == 1)
        }
    }

    @Test func `requests one after another share a connection, and are counted`() async throws {
        let metrics = MetricsRegistry()
        try await withClient(metrics: metrics) { connection in
            while true {
                _ = try connection.readRequest()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        } _: { client, server in
            for _ in 0..<5 {
                let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
                #expect(await read(response.body).text == "ok")
            }
            #expect(server.acceptedCount == 1)
        }
        let text = metrics.prometheusText()
        #expect(text.contains(#"switchyard_http_client_requests_total{outcome="ok"} 5"#))
        #expect(text.contains(#"switchyard_http_client_connections_total{kind="new"} 1"#))
        #expect(text.contains(#"switchyard_http_client_connections_total{kind="reused"} 4"#))
        #expect(text.contains("switchyard_http_client_active_requests 0"))
    }

    @Test func `nobody listening is a failed connection that sent nothing`() async throws {
        let server = try RawServer { _ in }
        let url = server.url()
        server.stop()
        try await withClient { _ in
        } _: { client, _ in
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: url))
            }
            #expect(error?.code == .connectFailed)
            #expect(error?.mayHaveReachedServer == false)
        }
    }

    @Test(arguments: ["", "no url", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/x", "http://"])
    func `what is no http URL is refused`(_ url: String) async throws {
        try await withClient { _ in
        } _: { client, _ in
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: url))
            }
            #expect(error?.mayHaveReachedServer == false)
            #expect(error?.code == .invalidRequest || error?.code == .resolveFailed)
        }
    }

    @Test func `two hundred streams run at once`() async throws {
        try await withClient { connection in
            // A stream that begins late may find the connection of one that ended.
            while true {
                _ = try connection.readRequest()
                try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for number in 0..<20 { try connection.send("4\r\n\(1000 + number)\r\n") }
                try connection.send("0\r\n\r\n")
            }
        } _: { client, server in
            let expected = (0..<20).map { "\(1000 + $0)" }.joined()
            let wholeCount = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<200 {
                    group.addTask {
                        do {
                            let response = try await client.open(HTTPClientRequest(.get, url: server.url()))
                            let (text, error) = await read(response.body)
                            return text == expected && error == nil
                        } catch { return false }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wholeCount == 200)
        }
    }
}

enum UnacceptableHead: String, CaseIterable, CustomTestStringConvertible {
    case nothing, noHTTP, noStatus, longField, endlessField, manyFields

    var testDescription: String { rawValue }

    var bytes: String {
        switch self {
        case .nothing: ""
        case .noHTTP: "nonsense\r\n\r\n"
        case .noStatus: "HTTP/1.1 2000 OK\r\n\r\n"
        case .longField: "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 70_000))\r\n\r\n"
        case .endlessField: "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 200_000))"
        case .manyFields: "HTTP/1.1 200 OK\r\n\(String(repeating: "A: b\r\n", count: 20_000))\r\n"
        }
    }

    var code: HTTPClientError.Code {
        switch self {
        case .nothing: .connectionLost
        case .noHTTP, .noStatus: .protocolError
        case .longField, .endlessField, .manyFields: .tooLarge
        }
    }
}
