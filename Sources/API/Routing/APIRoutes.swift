// SPDX-License-Identifier: Apache-2.0
package import HTTP
package import HTTPServer
import Observability

/// Registers handlers with what all of them share: who may call, the log's context, the envelope for errors, metrics.
package struct APIRoutes {
    /// What answers a request; it runs on the connection's event loop and must not block it.
    package typealias Handler = @Sendable (APIRequest) async throws(APIError) -> APIResponse

    /// The routes so far.
    package private(set) var router: Router
    private let authenticator: Authenticator
    private let logger: Logger
    private let metrics: APIMetrics
    private let maxBodyBytes: Int
    private let limiter: RateLimiter
    private let clients: ClientAddress

    init(_ services: APIServices) {
        router = Router(refusalResponder: APIResponse.refusal)
        if let policy = services.configuration.crossOrigin { router.use(policy.middleware) }
        authenticator = Authenticator(
            tokens: services.tokens, users: services.users, clock: services.clock,
            singleUser: services.configuration.mode.singleUser)
        logger = services.logger
        metrics = APIMetrics(services.metrics)
        maxBodyBytes = services.configuration.maxBodyBytes
        limiter = services.limiter
        clients = ClientAddress(proxies: services.configuration.trustedProxies)
    }

    /// Adds a route.
    ///
    /// - Parameters:
    ///   - method: GET also answers HEAD.
    ///   - pattern: such as `/api/sessions/:id`.
    ///   - access: who may call; checked before the body is read.
    ///   - limit: whether its requests are counted.
    ///   - maxBodyBytes: over it 413; `nil` for the configuration's.
    ///   - cancelsOnDisconnect: whether the handler is cancelled when the client goes; false for what must not stop
    ///     half-way.
    ///   - handler: what answers.
    package mutating func on(
        _ method: HTTPMethod, _ pattern: String, access: AccessLevel = .user, limit: RouteLimit = .counted,
        maxBodyBytes: Int? = nil, cancelsOnDisconnect: Bool = true, _ handler: @escaping Handler
    ) {
        let route = APIRoute(
            method: method, access: access, handler: handler, authenticator: authenticator,
            limiter: limit == .exempt ? nil : limiter, clients: clients, logger: logger,
            metrics: metrics.route(method, pattern))
        let policy = RequestPolicy(
            maxBodyBytes: maxBodyBytes ?? self.maxBodyBytes, cancelsOnDisconnect: cancelsOnDisconnect)
        router.on(method, pattern, policy: policy) { await route.respond(to: $0) }
    }
}
