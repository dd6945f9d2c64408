// SPDX-License-Identifier: Apache-2.0

/// A status code with its reason phrase; only codes from 100 to 599 exist.
package struct HTTPStatus: Sendable, Hashable, CustomStringConvertible {
    /// 100 to 599.
    package let code: Int
    /// The phrase of the status line; a constant, so it cannot carry line ends.
    package let reason: StaticString

    /// A status from constants; a code outside 100 to 599 is a programming error.
    package init(_ code: Int, _ reason: StaticString) {
        precondition((100..<600).contains(code), "no such HTTP status")
        self.code = code
        self.reason = reason
    }

    /// The status of a code that came from elsewhere, `nil` outside 100 to 599; unknown codes get an empty phrase.
    package init?(code: Int) {
        guard (100..<600).contains(code) else { return nil }
        self = Self.all.first { $0.code == code } ?? HTTPStatus(code, "")
    }

    /// Statuses are their codes.
    package static func == (left: HTTPStatus, right: HTTPStatus) -> Bool { left.code == right.code }

    /// Follows `==`.
    package func hash(into hasher: inout Hasher) { hasher.combine(code) }

    /// Such as `404 Not Found`.
    package var description: String { "\(code) \(reason)" }

    /// Whether a response with this status never has a body (RFC 9110, 6.4.1).
    package var forbidsBody: Bool { code < 200 || code == 204 || code == 304 }

    /// The first digit: the bounded label of metrics.
    package var statusClass: Int { code / 100 }
}

// The statuses of the contract.
extension HTTPStatus {
    /// 100, before the body of a request that expects it.
    package static let `continue` = HTTPStatus(100, "Continue")
    /// 200, read or updated.
    package static let ok = HTTPStatus(200, "OK")
    /// 201, created.
    package static let created = HTTPStatus(201, "Created")
    /// 202, accepted for work in the background.
    package static let accepted = HTTPStatus(202, "Accepted")
    /// 204, for preflight requests only.
    package static let noContent = HTTPStatus(204, "No Content")
    /// 304, the client's copy is current.
    package static let notModified = HTTPStatus(304, "Not Modified")
    /// 400, malformed or invalid.
    package static let badRequest = HTTPStatus(400, "Bad Request")
    /// 401, no or wrong credentials.
    package static let unauthorized = HTTPStatus(401, "Unauthorized")
    /// 403, known but not allowed.
    package static let forbidden = HTTPStatus(403, "Forbidden")
    /// 404, absent or another user's.
    package static let notFound = HTTPStatus(404, "Not Found")
    /// 405, with `Allow`.
    package static let methodNotAllowed = HTTPStatus(405, "Method Not Allowed")
    /// 408, head or body did not come in time.
    package static let requestTimeout = HTTPStatus(408, "Request Timeout")
    /// 409, conflicts with the present state.
    package static let conflict = HTTPStatus(409, "Conflict")
    /// 413, the body is over the route's limit.
    package static let contentTooLarge = HTTPStatus(413, "Content Too Large")
    /// 414, the target is over the limit.
    package static let uriTooLong = HTTPStatus(414, "URI Too Long")
    /// 415, the body is of another type than the route takes.
    package static let unsupportedMediaType = HTTPStatus(415, "Unsupported Media Type")
    /// 417, an `Expect` other than `100-continue`.
    package static let expectationFailed = HTTPStatus(417, "Expectation Failed")
    /// 422, well formed but not acceptable.
    package static let unprocessableContent = HTTPStatus(422, "Unprocessable Content")
    /// 429, with `Retry-After`.
    package static let tooManyRequests = HTTPStatus(429, "Too Many Requests")
    /// 431, the header section is over the limit.
    package static let headersTooLarge = HTTPStatus(431, "Request Header Fields Too Large")
    /// 500, our fault.
    package static let internalServerError = HTTPStatus(500, "Internal Server Error")
    /// 501, a method or transfer coding we do not have.
    package static let notImplemented = HTTPStatus(501, "Not Implemented")
    /// 502, a provider answered wrongly.
    package static let badGateway = HTTPStatus(502, "Bad Gateway")
    /// 503, something we need is away; with `Retry-After`.
    package static let serviceUnavailable = HTTPStatus(503, "Service Unavailable")
    /// 504, a provider did not answer in time.
    package static let gatewayTimeout = HTTPStatus(504, "Gateway Timeout")
    /// 505, neither HTTP/1.0 nor HTTP/1.1.
    package static let versionNotSupported = HTTPStatus(505, "HTTP Version Not Supported")

    private static let all: [HTTPStatus] = [
        .continue, .ok, .created, .accepted, .noContent, .notModified, .badRequest, .unauthorized, .forbidden,
        .notFound, .methodNotAllowed, .requestTimeout, .conflict, .contentTooLarge, .uriTooLong,
        .unsupportedMediaType, .expectationFailed, .unprocessableContent, .tooManyRequests, .headersTooLarge,
        .internalServerError, .notImplemented, .badGateway, .serviceUnavailable, .gatewayTimeout,
        .versionNotSupported,
    ]
}
