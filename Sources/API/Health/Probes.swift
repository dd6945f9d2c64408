// SPDX-License-Identifier: Apache-2.0
import Cryptography
import HTTP
package import HTTPServer
import JSON
package import Observability
package import Persistence

/// What load balancers and scrapers ask of any process, with or without the API.
package struct Probes: Sendable {
    private let database: Database
    private let metricsToken: Secret?
    private let registry: MetricsRegistry

    /// - Parameters:
    ///   - database: asked for readiness.
    ///   - metricsToken: what `/metrics` asks for; `nil` or empty leaves it open.
    ///   - metrics: what `/metrics` shows.
    package init(database: Database, metricsToken: Secret?, metrics: MetricsRegistry) {
        self.database = database
        self.metricsToken = metricsToken
        registry = metrics
    }

    /// `/healthz`, `/readyz` and `/metrics` alone: a worker's address space (`WORKER_PORT`).
    package func makeRouter() -> Router {
        var router = Router(refusalResponder: APIResponse.refusal)
        router.on(.get, "/healthz") { _ in Self.alive.response }
        router.on(.get, "/readyz") { request in
            do throws(APIError) { return try await ready().response } catch {
                return APIResponse.error(error, requestID: request.id).response
            }
        }
        router.on(.get, "/metrics") { request in
            do throws(APIError) {
                return try metrics(authorization: request.head.fields[.authorization]).response
            } catch {
                return APIResponse.error(error, requestID: request.id).response
            }
        }
        return router
    }

    /// The process serves.
    static var alive: APIResponse { .object { $0.member("status", "ok") } }

    /// Whether requests can be served: the database answers, and its schema is the one this program knows.
    func ready() async throws(APIError) -> APIResponse {
        let status = try await APIError.mapping { try await SchemaStatus.read(from: database) }
        guard status.isCurrent else { throw .unavailable(cause: "the database's schema is not current") }
        return .object { $0.member("status", "ready") }
    }

    func metrics(authorization: String?) throws(APIError) -> APIResponse {
        if let token = metricsToken, !token.isEmpty {
            guard ConstantTime.areEqual(authorization ?? "", "Bearer \(token.revealed())") else {
                throw APIError(.unauthenticated, "The metrics need their token.")
            }
        }
        return APIResponse(
            ServerResponse(
                .ok,
                fields: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
                body: .bytes(Array(registry.prometheusText().utf8))))
    }
}
