// SPDX-License-Identifier: Apache-2.0
package import HTTP
package import Runtime

/// What a handler gets: a checked head, the body as it comes, and what the server knows about the two.
package struct ServerRequest: Sendable {
    /// The client's or a new one; in every answer and log line.
    package let id: String
    /// Method, target, fields.
    package let head: HTTPRequest
    /// Read it or not: an answer given before its end ends the connection.
    package let body: RequestBody
    /// The other end of the connection, which may be a proxy.
    package let peer: SocketAddress?
    /// Values of the route's `:name` parts, decoded.
    package var parameters: [String: String] = [:]
    /// The pattern of the route, a bounded label for metrics and logs; empty before routing.
    package var route = ""
    var match: Router.Match?

    /// A request made by hand, for tests of handlers.
    package init(
        id: String, head: HTTPRequest, body: RequestBody = RequestBody(), peer: SocketAddress? = nil
    ) {
        self.id = id
        self.head = head
        self.body = body
        self.peer = peer
    }
}
