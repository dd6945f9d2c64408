// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct SystemTests {
    @Test func `liveness, readiness and health need no account`() async throws {
        try await TestAPI.serve { api in
            #expect(try await api.send("GET", "/healthz").status == 200)
            #expect(try await api.send("GET", "/readyz").status == 200)
            let health = try await api.send("GET", "/api/settings/health")
            #expect(health.status == 200)
            #expect(health.data["status"] == "healthy")
            #expect(health.data["version"] == "0.0-test")
            #expect(health.data["queue"]?["ready"]?.integerValue != nil)
            #expect(health.data["queue"]?["running"] == 0)
            #expect(health.data["workers"] == 0)
        }
    }

    @Test(.migratedDatabase) func `a schema that lacks a migration is alive and not ready`() async throws {
        try await TestAPI.serve { api in
            try await api.services.database.pool.execute(
                "DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)")
            #expect(try await api.send("GET", "/healthz").status == 200)
            let ready = try await api.send("GET", "/readyz")
            #expect(ready.status == 503)
            #expect(ready.code == "unavailable")
        }
    }

    @Test func `metrics count routes by pattern and are closed to whoever lacks the token`() async throws {
        try await TestAPI.serve { api in
            _ = try await api.send("GET", "/api/sessions/some-id")
            let metrics = try await api.send("GET", "/metrics")
            #expect(metrics.status == 200)
            #expect(metrics.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(
                metrics.text.contains(
                    #"switchyard_api_requests_total{method="GET",route="/api/sessions/:id",class="4xx"} 1"#))
            #expect(!metrics.text.contains("some-id"))
        }
        try await TestAPI.serve(configure: { $0.metricsToken = Secret("m-token") }) { api in
            let refused = try await api.send("GET", "/metrics")
            #expect(refused.status == 401)
            #expect(try await api.send("GET", "/metrics", token: "m-toke").status == 401)
            #expect(try await api.send("GET", "/metrics", token: "m-token").status == 200)
        }
    }

    @Test(.migratedDatabase) func `settings of the system change at once and null brings the environment's back`()
        async throws
    {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            let path = "/api/settings/system"
            let before = try await api.send("GET", path, token: admin.token)
            #expect(before.data["brandText"] == "")
            #expect(before.data["defaultModelId"] == .null)
            let body = #"{"brandText":"Ours","registrationEnabled":false}"#
            let changed = try await api.send("PUT", path, body, token: admin.token)
            #expect(changed.status == 200)
            #expect(changed.data["brandText"] == "Ours")
            let info = try await api.send("GET", "/api/settings/app-info")
            #expect(info.data["brandText"] == "Ours")
            #expect(info.data["mode"] == "multi")
            #expect(info.data["features"]?["registration"] == false)
            let back = try await api.send(
                "PUT", path, #"{"brandText":null,"registrationEnabled":null}"#, token: admin.token)
            #expect(back.data == before.data)
        }
    }

    @Test(arguments: [
        (
            #"{"registrationEnabled":"yes","rateLimitMax":0,"nonsense":1}"#,
            ["registrationEnabled", "rateLimitMax", "nonsense"]
        ),
        (#"{"defaultModelId":"00000000-0000-7000-8000-000000000000"}"#, ["defaultModelId"]),
        (#"{"titleModelId":"x"}"#, ["titleModelId"]),
    ])
    func `wrong settings are refused, all at once`(body: String, fields: [String]) async throws {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            let answer = try await api.send("PUT", "/api/settings/system", body, token: admin.token)
            #expect(answer.status == 400)
            #expect(answer.wrongFields == fields)
        }
    }

    @Test(.migratedDatabase) func `a personal model cannot become everyone's default, a system model can`() async throws
    {
        try await TestAPI.serve { api in
            let admin = try await api.person(.admin)
            let body = #"{"name":"m\#(admin.username)","provider":"openai","model":"gpt-4o"}"#
            let personal = try await api.send("POST", "/api/models", body, token: admin.token)
            let system = try await api.send("POST", "/api/models/system", body, token: admin.token)
            func setDefault(_ id: String) async throws -> APIAnswer {
                try await api.send(
                    "PUT", "/api/settings/system", #"{"defaultModelId":"\#(id)"}"#, token: admin.token)
            }
            #expect(try await setDefault(personal.id).status == 400)
            #expect(try await setDefault(system.id).status == 200)
            let session = try await api.send("POST", "/api/sessions", "{}", token: admin.token)
            #expect(session.data["modelId"]?.stringValue == system.id)
        }
    }
}
