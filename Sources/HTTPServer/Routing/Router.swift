// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// Finds the handler of a method and path; built at the start, then only read.
///
/// A literal part wins over a `:name` part. HEAD is answered by the GET route, the server leaves the body out.
/// Cost: one dictionary look-up a path part.
package struct Router: HTTPHandler {
    /// What a route runs.
    package typealias Handler = @Sendable (ServerRequest) async -> ServerResponse
    /// Something around every request, also those without a route: it may answer itself or change the answer.
    package typealias Middleware = @Sendable (ServerRequest, _ next: Handler) async -> ServerResponse

    /// A handler with its rules.
    final class Route: Sendable {
        let pattern: String
        let parameterNames: [String]
        let policy: RequestPolicy
        let handler: Handler

        init(pattern: String, parameterNames: [String], policy: RequestPolicy, handler: @escaping Handler) {
            self.pattern = pattern
            self.parameterNames = parameterNames
            self.policy = policy
            self.handler = handler
        }
    }

    /// What a look-up found.
    enum Match: Sendable {
        case found(Route, [String: String])
        case wrongMethod([HTTPMethod])
        case missing
    }

    private var root = RouteNode()
    private var middleware: [Middleware] = []
    private let refusalResponder: RefusalResponder

    /// A router without routes.
    package init(refusalResponder: @escaping RefusalResponder = { ServerResponse.refusal($0, requestID: $1) }) {
        self.refusalResponder = refusalResponder
    }

    /// Adds a route. A second one for the same method and path, or a pattern without a leading slash, is a
    /// programming error.
    ///
    /// - Parameters:
    ///   - method: GET also answers HEAD.
    ///   - pattern: such as `/api/sessions/:id/messages`.
    ///   - policy: limits of this route.
    ///   - handler: what answers.
    package mutating func on(
        _ method: HTTPMethod, _ pattern: String, policy: RequestPolicy = RequestPolicy(),
        _ handler: @escaping Handler
    ) {
        precondition(pattern.hasPrefix("/"), "a route's pattern begins with a slash")
        let parts = pattern == "/" ? [] : pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let names = parts.filter { $0.hasPrefix(":") }.map { String($0.dropFirst()) }
        let route = Route(pattern: pattern, parameterNames: names, policy: policy, handler: handler)
        root.insert(route, method, parts[...].map(String.init)[...])
    }

    /// Adds middleware inside of what was added before.
    package mutating func use(_ middleware: @escaping Middleware) {
        self.middleware.append(middleware)
    }

    /// The methods a path answers to, HEAD included; empty for an unknown path. For OPTIONS and CORS.
    package func allowedMethods(for target: HTTPTarget) -> [HTTPMethod] {
        root.find(target.segments[...]).node?.methods ?? []
    }

    /// The route's rules.
    package func policy(for request: HTTPRequest) -> RequestPolicy {
        let match = match(request)
        var policy = RequestPolicy()
        if case .found(let route, _) = match { policy = route.policy }
        policy.match = match
        return policy
    }

    /// Runs the middleware around the route, or around 404 and 405.
    package func respond(to request: ServerRequest) async -> ServerResponse {
        var request = request
        let match = request.match ?? match(request.head)
        request.match = match
        if case .found(let route, let parameters) = match {
            request.parameters = parameters
            request.route = route.pattern
        }
        return await run(request, through: middleware[...])
    }

    private func run(_ request: ServerRequest, through rest: ArraySlice<Middleware>) async -> ServerResponse {
        guard let first = rest.first else { return await answer(request) }
        return await first(request) { await run($0, through: rest.dropFirst()) }
    }

    private func answer(_ request: ServerRequest) async -> ServerResponse {
        switch request.match {
        case .found(let route, _): await route.handler(request)
        case .wrongMethod(let allowed): refusalResponder(.methodNotAllowed(allowed), request.id)
        case .missing, nil: refusalResponder(.notFound, request.id)
        }
    }

    private func match(_ request: HTTPRequest) -> Match {
        let (node, values) = root.find(request.target.segments[...])
        guard let node else { return .missing }
        guard let route = node.route(request.method) else { return .wrongMethod(node.methods) }
        let parameters = Dictionary(zip(route.parameterNames, values)) { first, _ in first }
        return .found(route, parameters)
    }
}
