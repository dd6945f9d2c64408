// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import JSON
import Observability
import Persistence

extension APIServices {
    /// Liveness, readiness, metrics, and the health of the whole system. None needs an account.
    func addHealthRoutes(to routes: inout APIRoutes) {
        let health = Health(services: self)
        routes.on(.get, "/healthz", access: .none, limit: .exempt) { _ throws(APIError) in Probes.alive }
        routes.on(.get, "/readyz", access: .none, limit: .exempt, health.ready)
        routes.on(.get, "/metrics", access: .none, limit: .exempt, health.metrics)
        routes.on(.get, "/api/settings/health", access: .none, limit: .exempt, health.overview)
    }
}

/// What tells machines, and people who run the system, how it is.
struct Health: Sendable {
    let services: APIServices

    var probes: Probes {
        Probes(
            database: services.database, metricsToken: services.configuration.metricsToken, metrics: services.metrics)
    }

    @Sendable func ready(_ request: APIRequest) async throws(APIError) -> APIResponse { try await probes.ready() }

    @Sendable func metrics(_ request: APIRequest) async throws(APIError) -> APIResponse {
        try probes.metrics(authorization: request.head.fields[.authorization])
    }

    /// The 503 carries what is known, too: whoever looks here wants to know what is wrong.
    @Sendable func overview(_ request: APIRequest) async throws(APIError) -> APIResponse {
        do throws(PersistenceError) {
            let load = try await SystemLoad.read(from: services.database)
            return .object { write("healthy", database: "up", load, to: &$0) }
        } catch {
            services.logger.warning("the system is unhealthy", [.errorDetail: LogValue(error)])
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("success", false)
                writer.member("error", "The database cannot be reached.")
                writer.member("code", APIError.Code.unavailable.rawValue)
                writer.member("requestId", request.id)
                writer.objectMember("data") { write("unhealthy", database: "down", nil, to: &$0) }
            }
            return APIResponse(
                ServerResponse(
                    .serviceUnavailable,
                    fields: [
                        .contentType: "application/json; charset=utf-8", .cacheControl: "no-store", .retryAfter: "1",
                    ], body: .bytes(writer.bytes)))
        }
    }

    private func write(
        _ status: String, database: String, _ load: SystemLoad?, to writer: inout JSONWriter
    ) {
        writer.member("status", status)
        writer.member("version", services.configuration.version)
        writer.member("database", database)
        writer.member("listener", services.isListenerHealthy() ? "up" : "down")
        guard let load else { return }
        writer.objectMember("queue") { writer in
            writer.member("ready", load.readyCount)
            writer.member("running", load.runningCount)
        }
        writer.member("workers", load.workerCount)
    }
}
