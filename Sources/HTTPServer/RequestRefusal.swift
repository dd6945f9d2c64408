// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// A request the server or the router answers itself, before any handler.
///
/// Everything in it is constant text, so that an error can be logged, counted and sent without a second thought.
package struct RequestRefusal: Sendable, Equatable {
    /// The answer's status.
    package let status: HTTPStatus
    /// The machine word of the error envelope.
    package let code: StaticString
    /// The sentence for a person.
    package let sentence: StaticString
    /// The bounded label of the metric of refusals.
    package let kind: StaticString
    /// Fields the status asks for, such as `Allow`.
    package var fields: HTTPFields = [:]

    /// Two refusals are the same when they are counted as the same and answered alike.
    package static func == (left: RequestRefusal, right: RequestRefusal) -> Bool {
        left.kind.description == right.kind.description && left.status == right.status
    }

    /// 400: the bytes are not a request of HTTP/1.0 or 1.1, or one that two programs could read differently.
    package static func malformed(_ sentence: StaticString, kind: StaticString = "malformed") -> RequestRefusal {
        RequestRefusal(status: .badRequest, code: "validation_failed", sentence: sentence, kind: kind)
    }

    /// 404: no route has this path.
    package static let notFound = RequestRefusal(
        status: .notFound, code: "not_found", sentence: "There is nothing at this address.", kind: "not_found")
    /// 405: the path exists, the method does not.
    package static func methodNotAllowed(_ allowed: [HTTPMethod]) -> RequestRefusal {
        let list = allowed.map(\.rawValue).joined(separator: ", ")
        return RequestRefusal(
            status: .methodNotAllowed, code: "method_not_allowed",
            sentence: "This address does not answer to this method.", kind: "method_not_allowed",
            fields: [.allow: HTTPFieldValue(replacingControls: list)])
    }
    /// 408: the header section did not come in time.
    package static let headTimedOut = RequestRefusal(
        status: .requestTimeout, code: "request_timeout", sentence: "The request did not arrive in time.",
        kind: "head_timeout")
    /// 408: the body did not come in time.
    package static let bodyTimedOut = RequestRefusal(
        status: .requestTimeout, code: "request_timeout", sentence: "The request's body did not arrive in time.",
        kind: "body_timeout")
    /// 413: the body is over the route's limit.
    package static let bodyTooLarge = RequestRefusal(
        status: .contentTooLarge, code: "payload_too_large", sentence: "The request's body is too large.",
        kind: "body_too_large")
    /// 414: the target is over the limit.
    package static let targetTooLong = RequestRefusal(
        status: .uriTooLong, code: "uri_too_long", sentence: "The request's address is too long.",
        kind: "target_too_long")
    /// 431: too many header bytes or lines.
    package static let headersTooLarge = RequestRefusal(
        status: .headersTooLarge, code: "headers_too_large", sentence: "The request's header section is too large.",
        kind: "headers_too_large")
    /// 500: the handler did not give an answer that can be sent.
    package static let internalError = RequestRefusal(
        status: .internalServerError, code: "internal", sentence: "Something went wrong on our side.",
        kind: "internal")
    /// 501: a method this server does not have.
    package static let methodUnknown = RequestRefusal(
        status: .notImplemented, code: "not_implemented", sentence: "This method is not implemented.",
        kind: "method_unknown")
    /// 501: a transfer coding this server does not have.
    package static let codingUnknown = RequestRefusal(
        status: .notImplemented, code: "not_implemented", sentence: "This transfer coding is not implemented.",
        kind: "coding_unknown")
    /// 503: more connections than the server is allowed to hold.
    package static let tooManyConnections = RequestRefusal(
        status: .serviceUnavailable, code: "unavailable", sentence: "The server has too many connections.",
        kind: "too_many_connections", fields: [.retryAfter: "1"])
    /// 505: neither HTTP/1.0 nor HTTP/1.1.
    package static let versionUnknown = RequestRefusal(
        status: .versionNotSupported, code: "version_not_supported",
        sentence: "Only HTTP/1.0 and HTTP/1.1 are supported.", kind: "version_unknown")

    /// Every kind there is: the values the metric's label can have.
    static let kinds: [StaticString] = [
        "malformed", "not_found", "method_not_allowed", "head_timeout", "body_timeout", "body_too_large",
        "target_too_long", "headers_too_large", "internal", "method_unknown", "coding_unknown",
        "too_many_connections", "version_unknown",
    ]
}

/// Makes the answer to a refusal; the API may bring its own.
package typealias RefusalResponder = @Sendable (_ refusal: RequestRefusal, _ requestID: String) -> ServerResponse

extension ServerResponse {
    /// The JSON error envelope of the contract.
    package static func refusal(_ refusal: RequestRefusal, requestID: String) -> ServerResponse {
        var fields = refusal.fields
        fields.set(.contentType, "application/json; charset=utf-8")
        // Constants without quotes and a checked id: nothing here needs escaping.
        let text = """
            {"success":false,"error":"\(refusal.sentence)","code":"\(refusal.code)",\
            "requestId":"\(requestID)","data":null}
            """
        return ServerResponse(refusal.status, fields: fields, body: .bytes(Array(text.utf8)))
    }
}
