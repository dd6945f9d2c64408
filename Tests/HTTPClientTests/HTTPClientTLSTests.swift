// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPClient
import Runtime
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPClientTLSTests {
    private func ask(_ host: String, _ server: TLSServer, trusting file: String?) async throws -> HTTPClientError? {
        let loop = try EventLoop(name: "test")
        let client = HTTPClient(
            loops: [loop],
            configuration: HTTPClientConfiguration(userAgent: "switchyard/test", certificateAuthorityFile: file))
        let error = await failure { () async throws(HTTPClientError) in
            let response = try await client.open(HTTPClientRequest(.get, url: "https://\(host):\(server.port)/"))
            #expect(response.status == .ok)
            return try await response.body.collect(upTo: 1 << 20)
        }
        await client.shutDown()
        loop.shutDown()
        return error
    }

    @Test func `a trusted certificate is accepted, an unknown or wrong one ends the connection unused`() async throws {
        let server = try TLSServer()
        let trusted = try await ask("localhost", server, trusting: server.certificateFile)
        let unknown = try await ask("localhost", server, trusting: nil)
        let wrongName = try await ask("127.0.0.1", server, trusting: server.certificateFile)
        try server.stop()
        #expect(trusted == nil)
        #expect(unknown?.code == .tlsFailed)
        #expect(unknown?.mayHaveReachedServer == false)
        #expect(unknown?.isRetryable == false)
        #expect(wrongName?.code == .tlsFailed)
    }

    /// What a server does once the client's half of the handshake has begun.
    enum Cut: CaseIterable {
        case close, reset, closeWithinRecord, plainText

        func carryOut(_ connection: RawConnection) throws {
            switch self {
            case .close: connection.close()
            case .reset: try connection.reset()
            // The head of a record with a ServerHello, and the first of its 122 bytes.
            case .closeWithinRecord: try connection.send(bytes: [0x16, 3, 3, 0, 122, 2])
            case .plainText: try connection.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            }
        }
    }

    @Test(arguments: Cut.allCases)
    func `a handshake that is cut is no connection, and may be tried again`(_ cut: Cut) async throws {
        try await withClient { connection in
            // All of the ClientHello: closing with bytes unread would be a reset.
            if try connection.read().isEmpty { return }
            try cut.carryOut(connection)
        } _: { client, server in
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(HTTPClientRequest(.get, url: "https://127.0.0.1:\(server.port)/"))
            }
            #expect(error?.code == .connectFailed)
            #expect(error?.isRetryable == true)
            #expect(error?.mayHaveReachedServer == false)
            // CURLE_SSL_CONNECT_ERROR
            #expect(error?.libraryCode == 35)
        }
    }

    @Test func `plain text where TLS is spoken is no HTTP`() async throws {
        try await withClient { connection in
            connection.waitForPeerToLeave()
        } _: { client, server in
            let limits = HTTPClientTimeLimits(connect: .milliseconds(50))
            let error = await failure { () async throws(HTTPClientError) in
                try await client.open(
                    HTTPClientRequest(.get, url: "https://127.0.0.1:\(server.port)/", limits: limits))
            }
            #expect(error?.code == .connectTimeout)
            #expect(error?.mayHaveReachedServer == false)
        }
    }
}
