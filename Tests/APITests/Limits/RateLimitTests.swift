// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import JSON
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

/// The limits over real sockets. Each test has a database of its own, for all of them call from one address.
@Suite(.timeLimit(.minutes(1)))
struct RateLimitTests {
    private typealias Settings = [SystemSettingKey: JSONValue]

    private static let minute: JSONValue = 60_000

    /// A clock that a test moves, at the beginning of a window.
    private final class Time: Sendable {
        private let clock = ManualClock()
        var now: Timestamp {
            Timestamp(millisecondsSince1970: 1_700_000_040_000).advanced(by: clock.now.sinceStart)
        }
        func advance(seconds: Int) { clock.advance(by: .seconds(seconds)) }
    }

    private func serve(
        _ settings: Settings, _ time: Time = Time(), proxies: Int = 0, _ body: (TestAPI) async throws -> Void
    ) async throws {
        try await TestAPI.serve(
            settings: settings.merging([.rateLimitWindowMilliseconds: Self.minute]) { $1 },
            limitTime: { time.now }, configure: { $0.trustedProxies = proxies }, body)
    }

    private func limits(_ answer: APIAnswer) -> [String?] {
        ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map { answer.fields[$0] }
    }

    @Test(.migratedDatabase) func `every answer says what is left and the one too many is refused`() async throws {
        let time = Time()
        try await serve([.rateLimitMax: 3], time) { api in
            let person = try await api.person()
            let paths = ["/api/sessions", "/api/sessions/x", "/api/auth/me"]
            for (path, left) in zip(paths, ["2", "1", "0"]) {
                let answer = try await api.send("GET", path, token: person.token)
                #expect(answer.status == (path == paths[1] ? 404 : 200))
                #expect(limits(answer) == ["3", left, "60"])
            }
            time.advance(seconds: 20)
            // Before its body is looked at.
            let refused = try await api.send("POST", "/api/chat/stream", "{no json", token: person.token)
            #expect(refused.status == 429 && refused.code == "rate_limited")
            #expect(limits(refused) == ["3", "0", "40"] && refused.fields["retry-after"] == "40")
            #expect(refused.json?["success"] == false && refused.json?["data"] == .null)
            #expect(refused.json?["requestId"]?.stringValue == refused.fields["x-request-id"])
            #expect(refused.fields["access-control-expose-headers"]?.contains("RateLimit-Reset") == true)
            #expect(
                api.services.metrics.prometheusText().contains(
                    #"switchyard_rate_limited_requests_total{class="user"} 1"#))
            // Others are not concerned, and the next window is a new one.
            let other = try await api.person()
            #expect(try await api.send("GET", "/api/sessions", token: other.token).status == 200)
            time.advance(seconds: 40)
            let next = try await api.send("GET", "/api/sessions", token: person.token)
            #expect(next.status == 200 && limits(next) == ["3", "2", "60"])
        }
    }

    @Test(.migratedDatabase) func `two API processes share one limit`() async throws {
        let time = Time()
        try await serve([.rateLimitMax: 40], time) { one in
            try await serve([.rateLimitMax: 40], time) { other in
                let person = try await one.person()
                func statuses(_ count: Int, _ apis: [TestAPI]) async throws -> [Int] {
                    try await withThrowingTaskGroup(of: Int.self) { group in
                        for number in 0..<count {
                            let api = apis[number % apis.count]
                            group.addTask { try await api.send("GET", "/api/auth/me", token: person.token).status }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                }
                var all = try await statuses(60, [one, other])
                #expect(all.count { $0 == 200 } <= 40)
                // What one of them still holds.
                all += try await statuses(20, [one]) + (try await statuses(20, [other]))
                #expect(all.count { $0 == 200 } == 40)
                #expect(all.count { $0 == 429 } == 60)
                time.advance(seconds: 60)
                #expect(try await statuses(2, [one, other]) == [200, 200])
            }
        }
    }

    @Test(.migratedDatabase) func `an address is counted over all its people, and whoever tries tokens too`()
        async throws
    {
        try await serve([.rateLimitIPMax: 5]) { api in
            let people = [try await api.person(), try await api.person()]
            for (number, left) in ["4", "3"].enumerated() {
                let answer = try await api.send("GET", "/api/sessions", token: people[number].token)
                #expect(answer.status == 200 && limits(answer) == ["5", left, "60"])
            }
            for left in ["2", "1"] {
                let answer = try await api.send("GET", "/api/sessions", token: "guess")
                #expect(answer.status == 401 && limits(answer) == ["5", left, "60"])
            }
            #expect(try await api.send("POST", "/api/auth/logout", #"{"refreshToken":"x"}"#).status == 200)
            for token in [people[0].token, "guess", nil] {
                let answer = try await api.send(
                    "GET", "/api/sessions", token: token, fields: ["X-Forwarded-For": "203.0.113.77"])
                #expect(answer.status == 429 && limits(answer) == ["5", "0", "60"])
            }
        }
    }

    @Test(.migratedDatabase) func `behind a trusted proxy each client has its own limit`() async throws {
        try await serve([.rateLimitIPMax: 1], proxies: 1) { api in
            let person = try await api.person()
            func status(_ forwarded: String) async throws -> Int {
                try await api.send(
                    "GET", "/api/sessions", token: person.token, fields: ["X-Forwarded-For": forwarded]
                ).status
            }
            #expect(try await status("203.0.113.1") == 200)
            #expect(try await status("198.51.100.9, 203.0.113.1") == 429)
            #expect(try await status("203.0.113.1, 203.0.113.2") == 200)
            #expect(try await status("2001:db8::1") == 200)
            #expect(try await status("2001:db8::2") == 429)
            #expect(try await status("hostile \"; DROP TABLE") == 200)
            #expect(try await status("other nonsense") == 429)
        }
    }

    @Test(.migratedDatabase) func `probes and preflights are not limited`() async throws {
        try await serve([.rateLimitIPMax: 1]) { api in
            #expect(try await api.send("GET", "/api/sessions", token: "guess").status == 401)
            #expect(try await api.send("GET", "/api/sessions", token: "guess").status == 429)
            for path in ["/healthz", "/readyz", "/metrics", "/api/settings/health", "/api/settings/app-info"] {
                let answer = try await api.send("GET", path)
                #expect(answer.status == 200 && limits(answer) == [nil, nil, nil])
            }
            let preflight = try await api.send(
                "OPTIONS", "/api/sessions",
                fields: ["Origin": "https://a.example", "Access-Control-Request-Method": "GET"])
            #expect(preflight.status == 204 && limits(preflight) == [nil, nil, nil])
        }
    }

    @Test(.migratedDatabase) func `attempts to log in are counted by address and account`() async throws {
        try await serve([.authRateLimitMax: 3], proxies: 1) { api in
            let body = #"{"username":"Ada","password":"correct horse"}"#
            let registered = try await api.send("POST", "/api/auth/register", body)
            #expect(registered.status == 201 && limits(registered) == ["3", "2", "60"])
            func logIn(_ name: String, _ password: String, from address: String? = nil) async throws -> APIAnswer {
                try await api.send(
                    "POST", "/api/auth/login", #"{"username":"\#(name)","password":"\#(password)"}"#,
                    fields: address.map { ["X-Forwarded-For": $0] } ?? [:])
            }
            for (name, left) in [("ada", "1"), ("ADA", "0")] {
                let answer = try await logIn(name, "wrong horse")
                #expect(answer.status == 401 && limits(answer) == ["3", left, "60"])
            }
            let refused = try await logIn("Ada", "correct horse")
            #expect(refused.status == 429 && refused.code == "rate_limited" && refused.fields["retry-after"] == "60")
            #expect(limits(refused) == ["3", "0", "60"])
            #expect(try await logIn("grace", "wrong horse").status == 401)
            // Nobody is shut out by what comes from elsewhere.
            #expect(try await logIn("Ada", "correct horse", from: "203.0.113.1").status == 200)
            #expect(
                api.services.metrics.prometheusText().contains(
                    #"switchyard_rate_limited_requests_total{class="auth"} 1"#))
            let stored = try await api.services.database.pool.query("SELECT DISTINCT kind FROM rate_limits ORDER BY 1")
            let kinds: [Int16] = try stored.decode(Int16.self)
            #expect(kinds == [2, 3, 4])
        }
    }

    @Test(
        .migratedDatabase,
        arguments: [
            ("/api/auth/login", ##"{"username":"user#","password":"correct horse"}"##, 401),
            ("/api/auth/register", ##"{"username":"user#","password":"correct horse"}"##, 201),
            ("/api/auth/refresh", ##"{"refreshToken":"#"}"##, 401),
        ])
    func `an address may try ten times as many over all accounts`(path: String, body: String, status: Int) async throws
    {
        try await serve([.authRateLimitMax: 1]) { api in
            for number in 0..<11 {
                let token = OpaqueToken.generate(.refresh).text
                let name = path.hasSuffix("refresh") ? token : "\(number)"
                let text = body.split(separator: "#").joined(separator: name)
                let answer = try await api.send("POST", path, text)
                #expect(answer.status == (number < 10 ? status : 429))
            }
        }
    }

    @Test(.migratedDatabase) func `guesses at the current password are attempts`() async throws {
        try await serve([.authRateLimitMax: 2]) { api in
            let person = try await api.person()
            let body = #"{"currentPassword":"guess","newPassword":"correct horse"}"#
            let statuses = [
                try await api.send("PUT", "/api/auth/password", body, token: person.token).status,
                try await api.send("PUT", "/api/auth/password", body, token: person.token).status,
                try await api.send("PUT", "/api/auth/password", body, token: person.token).status,
            ]
            #expect(statuses == [400, 400, 429])
        }
    }

    @Test(.migratedDatabase) func `stored settings change the limits of every process`() async throws {
        try await serve([.rateLimitMax: 100]) { one in
            try await serve([.rateLimitMax: 100]) { other in
                let (admin, person) = (try await one.person(.admin), try await one.person())
                func ask(_ api: TestAPI) async throws -> APIAnswer {
                    try await api.send("GET", "/api/auth/me", token: person.token)
                }
                #expect(limits(try await ask(one))[0] == "100")
                #expect(limits(try await ask(other))[0] == "100")
                let change = try await one.send(
                    "PUT", "/api/settings/system", #"{"rateLimitMax":30}"#, token: admin.token)
                #expect(change.data["rateLimitMax"] == 30)
                #expect(limits(try await ask(one))[0] == "30")
                try await other.services.settings.refresh()
                #expect(limits(try await ask(other))[0] == "30")
                _ = try await one.services.settings.update(try SystemSettingsPatch(["rateLimitMax": 1]))
                #expect(try await ask(one).status == 429)
                _ = try await one.services.settings.update(try SystemSettingsPatch(["rateLimitMax": nil]))
                #expect(limits(try await ask(one))[0] == "100")
            }
        }
    }
}
