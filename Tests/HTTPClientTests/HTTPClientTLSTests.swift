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
