// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import Observability

/// One route with what lies around its handler.
struct APIRoute: Sendable {
    let method: HTTPMethod
    let access: AccessLevel
    let handler: APIRoutes.Handler
    let authenticator: Authenticator
    /// `nil` where nothing is counted.
    let limiter: RateLimiter?
    let clients: ClientAddress
    let logger: Logger
    let metrics: RouteMetrics

    func respond(to request: ServerRequest) async -> ServerResponse {
        let start = ContinuousClock.now
        let limits = limiter.map { RequestLimits(limiter: $0, address: clients.bucket(of: request)) }
        var answer: APIResponse
        do throws(APIError) {
            let principal = try await admit(request, limits)
            let context = LogContext.current.with { context in
                context.requestID = request.id
                context.userID = principal?.userID
            }
            answer = try await run(APIRequest(request, sender: principal, limits: limits), in: context)
        } catch {
            answer = refuse(error, request)
        }
        limits?.quota?.write(to: &answer.response.fields)
        metrics.answered(answer.response.status, after: .now - start)
        return answer.response
    }

    /// Who sends the request, once it is counted: nothing of its body has been read, and the handler has done nothing.
    private func admit(_ request: ServerRequest, _ limits: RequestLimits?) async throws(APIError) -> Principal? {
        guard let limits else { return try await authenticator.principal(of: request.head, for: access) }
        try limits.refuseKnown()
        let principal: Principal?
        do throws(APIError) {
            principal = try await authenticator.principal(of: request.head, for: access)
        } catch {
            // Whoever tries tokens is counted, too.
            try await limits.admit(nil)
            throw error
        }
        try await limits.admit(principal?.userID)
        return principal
    }

    /// What the handler throws is logged within the context, so that the line says whose request it was.
    private func run(_ request: APIRequest, in context: LogContext) async throws(APIError) -> APIResponse {
        await context.run {
            do throws(APIError) {
                return try await handler(request)
            } catch {
                return refuse(error, request.server)
            }
        }
    }

    private func refuse(_ error: APIError, _ request: ServerRequest) -> APIResponse {
        switch error.code {
        case .internal:
            logger.error(
                "a request failed",
                [
                    .httpMethod: .string(method.rawValue), .httpRoute: .string(request.route),
                    .errorDetail: LogValue(error),
                ])
        case .unavailable:
            logger.warning(
                "a request could not be served",
                [
                    .httpMethod: .string(method.rawValue), .httpRoute: .string(request.route),
                    .errorDetail: LogValue(error),
                ])
        default:
            logger.debug(
                "a request was refused",
                [
                    .httpMethod: .string(method.rawValue), .httpRoute: .string(request.route),
                    .errorDetail: LogValue(error),
                ])
        }
        return APIResponse.error(error, requestID: request.id)
    }
}
