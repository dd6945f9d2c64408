// SPDX-License-Identifier: Apache-2.0
import HTTP
package import HTTPServer

/// Which pages of other origins may call (CORS).
package struct CrossOriginPolicy: Sendable, Hashable {
    private static let methods: HTTPFieldValue = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    private static let requestFields: HTTPFieldValue =
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id"
    private static let answerFields: HTTPFieldValue =
        "X-Request-Id, X-Job-Id, X-Message-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"

    /// As browsers write them; empty stands for every origin, without credentials.
    private let origins: [String]

    /// - Parameter text: of `CORS_ORIGIN`: empty or `*` for every origin, else a list with commas.
    package init(origins text: String) {
        let list = text.split { $0 == "," || $0.isWhitespace }.map { part in
            // Browsers send no slash at the end; people write one.
            String(part.last == "/" ? part.dropLast() : part)
        }
        origins = list.contains("*") ? [] : list
    }

    /// Answers preflight requests and marks every other answer, errors too: without the mark a page could not read
    /// why its request failed.
    package var middleware: Router.Middleware {
        { request, next in
            var response =
                isPreflight(request) ? preflightAnswer(to: request) : await next(request)
            mark(&response, for: request)
            return response
        }
    }

    private func isPreflight(_ request: ServerRequest) -> Bool {
        request.head.method == .options && request.head.fields[.origin] != nil
            && request.head.fields["Access-Control-Request-Method"] != nil
    }

    /// Every field a page asks for is allowed: what routes read of them is checked there, and SDKs send fields of their
    /// own.
    private func preflightAnswer(to request: ServerRequest) -> ServerResponse {
        let asked = request.head.fields["Access-Control-Request-Headers"].map(HTTPFieldValue.init(replacingControls:))
        return ServerResponse(
            .noContent,
            fields: [
                "Access-Control-Allow-Methods": Self.methods,
                "Access-Control-Allow-Headers": asked ?? Self.requestFields, "Access-Control-Max-Age": "600",
                .vary: "Access-Control-Request-Headers",
            ])
    }

    /// Marks an answer to a request that is not known, such as one that could not be parsed: possible where the mark
    /// does not depend on the request.
    func mark(_ response: inout ServerResponse) {
        guard origins.isEmpty else { return }
        response.fields.set("Access-Control-Allow-Origin", "*")
        response.fields.set("Access-Control-Expose-Headers", Self.answerFields)
    }

    private func mark(_ response: inout ServerResponse, for request: ServerRequest) {
        if origins.isEmpty {
            response.fields.set("Access-Control-Allow-Origin", "*")
        } else {
            response.fields.append(.vary, "Origin")
            guard let origin = request.head.fields[.origin], origins.contains(origin) else { return }
            response.fields.set("Access-Control-Allow-Origin", HTTPFieldValue(replacingControls: origin))
            response.fields.set("Access-Control-Allow-Credentials", "true")
        }
        response.fields.set("Access-Control-Expose-Headers", Self.answerFields)
    }
}
