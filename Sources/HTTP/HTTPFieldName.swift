// SPDX-License-Identifier: Apache-2.0

/// A header field's name: a token, so it can hold neither line ends nor colons; case is kept and does not matter.
package struct HTTPFieldName: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As written.
    package let text: String

    /// Checks a name that came from elsewhere.
    ///
    /// - Throws: `invalidFieldName` unless it is a token of RFC 9110.
    package init(_ text: String) throws(HTTPError) {
        guard Self.isToken(text) else {
            throw HTTPError(.invalidFieldName, "A header field's name must be a token.")
        }
        self.text = text
    }

    /// A name from a literal; one that is no token is a programming error.
    package init(stringLiteral literal: String) {
        precondition(Self.isToken(literal), "a header field's name must be a token")
        text = literal
    }

    /// Compares without regard to ASCII case.
    package static func == (left: HTTPFieldName, right: HTTPFieldName) -> Bool {
        ASCII.equalsIgnoringCase(left.text, right.text)
    }

    /// Follows `==`.
    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(ASCII.lowercased(byte)) }
    }

    /// As written.
    package var description: String { text }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(ASCII.isToken)
    }
}

// The names this product reads or writes.
extension HTTPFieldName {
    /// Which media types an answer may have.
    package static let accept: HTTPFieldName = "Accept"
    /// The methods of a resource, on 405 and OPTIONS.
    package static let allow: HTTPFieldName = "Allow"
    /// Credentials.
    package static let authorization: HTTPFieldName = "Authorization"
    /// How long an answer may be kept.
    package static let cacheControl: HTTPFieldName = "Cache-Control"
    /// Whether the connection goes on; only the server itself writes it.
    package static let connection: HTTPFieldName = "Connection"
    /// The body's size; only the server itself writes it.
    package static let contentLength: HTTPFieldName = "Content-Length"
    /// The body's media type.
    package static let contentType: HTTPFieldName = "Content-Type"
    /// When the answer was made.
    package static let date: HTTPFieldName = "Date"
    /// `100-continue` or refused.
    package static let expect: HTTPFieldName = "Expect"
    /// The server's name in the request; exactly one.
    package static let host: HTTPFieldName = "Host"
    /// The key under which a repeated POST gives the first one's result.
    package static let idempotencyKey: HTTPFieldName = "Idempotency-Key"
    /// The cursor of a re-attaching event stream.
    package static let lastEventID: HTTPFieldName = "Last-Event-ID"
    /// The page a browser's request comes from.
    package static let origin: HTTPFieldName = "Origin"
    /// When to try again, seconds.
    package static let retryAfter: HTTPFieldName = "Retry-After"
    /// How the body is framed; only the server itself writes it.
    package static let transferEncoding: HTTPFieldName = "Transfer-Encoding"
    /// What an answer depends on.
    package static let vary: HTTPFieldName = "Vary"
    /// How a client is to prove itself.
    package static let wwwAuthenticate: HTTPFieldName = "WWW-Authenticate"
    /// Tells a proxy in front not to collect an event stream.
    package static let xAccelBuffering: HTTPFieldName = "X-Accel-Buffering"
    /// The id a request has in logs and answers.
    package static let xRequestID: HTTPFieldName = "X-Request-Id"
}
