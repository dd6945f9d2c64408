// SPDX-License-Identifier: Apache-2.0
package import HTTP
package import HTTPServer
package import JSON

/// What a handler answers.
package struct APIResponse: Sendable {
    /// With the fields the server does not set itself.
    package var response: ServerResponse

    /// An answer that is no envelope: an event stream, plain text, a file.
    package init(_ response: ServerResponse) { self.response = response }

    /// `{"success": true, "data": …}`; the body writes exactly one value.
    package static func data(
        _ status: HTTPStatus = .ok, fields: HTTPFields = [:], _ write: (inout JSONWriter) -> Void
    ) -> APIResponse {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("success", true)
            writer.key("data")
            write(&writer)
        }
        return .json(status, fields: fields, writer.bytes)
    }

    /// As above with an object, whose members the body writes.
    package static func object(
        _ status: HTTPStatus = .ok, fields: HTTPFields = [:], _ write: (inout JSONWriter) -> Void
    ) -> APIResponse {
        data(status, fields: fields) { writer in writer.object(write) }
    }

    /// A part of a list: `{"items": […], "nextCursor": "…"|null}`.
    package static func page<Item>(
        _ items: [Item], nextCursor: String?, _ write: (Item, inout JSONWriter) -> Void
    ) -> APIResponse {
        object { writer in
            writer.arrayMember("items") { writer in
                for item in items { write(item, &writer) }
            }
            if let nextCursor { writer.member("nextCursor", nextCursor) } else { writer.nullMember("nextCursor") }
        }
    }

    /// The error envelope.
    package static func error(_ error: APIError, requestID: String) -> APIResponse {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("success", false)
            writer.member("error", error.sentence)
            writer.member("code", error.code.rawValue)
            if !error.details.isEmpty {
                writer.arrayMember("details") { writer in
                    for detail in error.details {
                        writer.object { writer in
                            writer.member("field", detail.field)
                            writer.member("message", detail.message)
                        }
                    }
                }
            }
            writer.member("requestId", requestID)
            writer.nullMember("data")
        }
        var fields: HTTPFields = [:]
        if let retryAfter = error.retryAfter {
            fields.set(.retryAfter, HTTPFieldValue(retryAfter.wholeSecondsRoundedUp))
        }
        if error.status == .unauthorized {
            fields.set(.wwwAuthenticate, error.code == .tokenExpired ? "Bearer error=\"invalid_token\"" : "Bearer")
        }
        return .json(error.status, fields: fields, writer.bytes)
    }

    /// Answers hold people's data and are never kept by caches between us and them.
    private static func json(_ status: HTTPStatus, fields: HTTPFields, _ bytes: [UInt8]) -> APIResponse {
        var fields = fields
        fields.set(.contentType, "application/json; charset=utf-8")
        fields.set(.cacheControl, "no-store")
        return APIResponse(ServerResponse(status, fields: fields, body: .bytes(bytes)))
    }
}

extension Duration {
    /// At least 1, as `Retry-After: 0` would mean at once.
    var wholeSecondsRoundedUp: Int {
        let (seconds, attoseconds) = components
        return max(1, Int(clamping: seconds) + (attoseconds > 0 ? 1 : 0))
    }
}
