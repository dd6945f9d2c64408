// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import JSON
import Jobs
import Persistence

extension ChatRoutes {
    /// Over the longest run, so that a wait in line before it is covered as well.
    private static let patience = Duration.seconds(1800)

    /// As ``stream(_:)``, but answers once the reply is stored. The same request again waits for, or is given, the
    /// same reply.
    @Sendable func complete(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (turn, _) = try await ChatTurns(services: services).submit(request, route: Self.completionPattern)
        switch await services.hub.waitForEnd(of: turn.jobID, deadline: .now + Self.patience) {
        case .ended: break
        case .deadlinePassed: return .failure(StreamFailure(code: .deadlineExceeded), requestID: request.id)
        case .cancelled, .stopped: throw .unavailable(cause: "left while a reply was waited for")
        }
        let message: StoredMessage?
        do throws(PersistenceError) {
            message = try await services.messages.find(job: turn.jobID, user: user)
        } catch {
            throw APIError(error)
        }
        guard let message else { throw .notFound("This reply") }
        if let failure = message.failure {
            let code = ErrorCode(rawValue: failure.code) ?? .internalError
            return .failure(StreamFailure(code: code, message: failure.message), requestID: request.id)
        }
        return .object { writer in
            writer.member("messageId", message.id.description)
            writer.member("content", message.content)
            if let usage = message.usage {
                writer.objectMember("usage") { usage.writeFields(to: &$0) }
            } else {
                writer.nullMember("usage")
            }
            writer.member("finishReason", (message.finishReason ?? .stop).rawValue)
            if let model = message.model { writer.member("model", model) } else { writer.nullMember("model") }
        }
    }
}

extension APIResponse {
    /// The error envelope of a reply that failed, with the stream's own word.
    static func failure(_ failure: StreamFailure, requestID: String) -> APIResponse {
        var fields: HTTPFields = [:]
        if let delay = failure.retryAfterMilliseconds {
            fields.set(.retryAfter, HTTPFieldValue(Duration.milliseconds(delay).wholeSecondsRoundedUp))
        } else if failure.code == .rateLimited {
            // The wait of a provider that names none.
            fields.set(.retryAfter, "15")
        }
        fields.set(.contentType, "application/json; charset=utf-8")
        fields.set(.cacheControl, "no-store")
        let bytes = JSONWriter.object { writer in
            writer.member("success", false)
            writer.member("error", failure.message)
            writer.member("code", failure.code.rawValue)
            writer.member("requestId", requestID)
            writer.nullMember("data")
        }
        return APIResponse(.init(failure.code.status, fields: fields, body: .bytes(bytes)))
    }
}

extension ErrorCode {
    /// The status of an answer that waited for a reply and got this instead. What the request itself is the cause of
    /// is 400; what the provider said or did not say is the gateway's 502 and 504; the rest is ours.
    var status: HTTPStatus {
        switch self {
        case .rateLimited, .providerBusy: .tooManyRequests
        case .contextLength, .contentFilter: .badRequest
        case .providerAuth, .providerQuota, .providerUnavailable, .providerDown, .providerBadResponse: .badGateway
        case .providerTimeout, .firstTokenTimeout, .idleTimeout, .deadlineExceeded: .gatewayTimeout
        case .cancelled: .conflict
        case .internalError, .poison: .internalServerError
        }
    }
}
