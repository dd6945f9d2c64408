// SPDX-License-Identifier: Apache-2.0
import Persistence
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct CrossOriginTests {
    private static let preflight = [
        "Origin": "https://page.example.org", "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, content-type",
    ]

    @Test func `every page may call by default, without credentials`() async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send("OPTIONS", "/api/sessions/x", fields: Self.preflight)
            #expect(answer.status == 204)
            #expect(answer.fields["access-control-allow-origin"] == "*")
            #expect(answer.fields["access-control-allow-credentials"] == nil)
            #expect(answer.fields["access-control-allow-methods"]?.contains("PUT") == true)
            #expect(answer.fields["access-control-allow-headers"] == "authorization, content-type")
            let refused = try await api.send("GET", "/api/sessions", fields: ["Origin": "https://page.example.org"])
            #expect(refused.status == 401)
            #expect(refused.fields["access-control-allow-origin"] == "*")
            #expect(refused.fields["access-control-expose-headers"]?.contains("X-Request-Id") == true)
        }
    }

    @Test func `where origins are named, only they may call`() async throws {
        let policy = CrossOriginPolicy(origins: "https://page.example.org/, https://other.example.org")
        try await TestAPI.serve(configure: { $0.crossOrigin = policy }) { api in
            let answer = try await api.send("OPTIONS", "/api/sessions", fields: Self.preflight)
            #expect(answer.fields["access-control-allow-origin"] == "https://page.example.org")
            #expect(answer.fields["access-control-allow-credentials"] == "true")
            #expect(answer.fields["vary"] == "Origin")
            let stranger = try await api.send("GET", "/healthz", fields: ["Origin": "https://evil.example.org"])
            #expect(stranger.status == 200)
            #expect(stranger.fields["access-control-allow-origin"] == nil)
            #expect(stranger.fields["vary"] == "Origin")
        }
    }

    @Test func `switched off, nothing is said of other origins`() async throws {
        try await TestAPI.serve(configure: { $0.crossOrigin = nil }) { api in
            let answer = try await api.send("OPTIONS", "/api/sessions", fields: Self.preflight)
            #expect(answer.status == 405)
            #expect(answer.fields["access-control-allow-origin"] == nil)
        }
    }

    @Test func `an OPTIONS request that is no preflight is one for a method nobody has`() async throws {
        try await TestAPI.serve { api in
            let answer = try await api.send("OPTIONS", "/api/sessions")
            #expect(answer.status == 405)
        }
    }
}
