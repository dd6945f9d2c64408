// SPDX-License-Identifier: Apache-2.0
import Cryptography
import HTTP
import HTTPServer
import JSON
import Observability
import Persistence

extension APIServices {
    /// Liveness, readiness, metrics, and the health of the whole system. None needs an account.
    func addHealthRoutes(to routes: inout APIRoutes) {
        let health = Health(services: self)
        routes.on(.get, "/healthz", access: .none) { _ throws(APIError) in .object { $0.member("status", "ok") } }
        routes.on(.get, "/readyz", access: .none, health.ready)
        routes.on(.get, "/metrics", access: .none, health.metrics)
        routes.on(.get, "/api/settings/health", access: .none, health.overview)
    }
}

/// What tells machines, and people who run the system, how it is.
struct Health: Sendable {
    let services: APIServices

    /// Whether requests can be served: the database answers, and its schema is the one this program knows.
    @Sendable func ready(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let status = try await APIError.mapping { try await SchemaStatus.read(from: services.database) }
        guard status.isCurrent else { throw .unavailable(cause: "the database's schema is not current") }
        return .object { $0.member("status", "ready") }
    }

    @Sendable func metrics(_ request: APIRequest) async throws(APIError) -> APIResponse {
        if let token = services.configuration.metricsToken, !token.isEmpty {
            let sent = request.head.fields[.authorization] ?? ""
            guard ConstantTime.areEqual(sent, "Bearer \(token.revealed())") else {
                throw APIError(.unauthenticated, "The metrics need their token.")
            }
        }
        return APIResponse(
            ServerResponse(
                .ok,
                fields: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
                body: .bytes(Array(services.metrics.prometheusText().utf8))))
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
