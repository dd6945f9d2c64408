// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// What the server asks before it reads a body, and whom it asks for the answer.
package protocol HTTPHandler: Sendable {
    /// The rules for a request, known from its head alone. Called on the loop; must not block.
    func policy(for request: HTTPRequest) -> RequestPolicy

    /// The answer. Runs in a task that prefers the connection's loop: heavy work belongs elsewhere.
    func respond(to request: ServerRequest) async -> ServerResponse
}

extension HTTPHandler {
    /// The server's own limits for everything.
    package func policy(for request: HTTPRequest) -> RequestPolicy { RequestPolicy() }
}

/// The rules for one request.
package struct RequestPolicy: Sendable {
    /// More is 413; `nil` takes the server's limit.
    package var maxBodyBytes: Int?
    /// For the whole body; `nil` takes the server's limit.
    package var bodyTimeout: Duration?
    /// Whether the handler's task is cancelled when the client goes before the answer has begun. False for what
    /// must not stop half-way, such as creating a chat.
    package var cancelsOnDisconnect: Bool
    var match: Router.Match?

    /// Rules; by default the server's limits, and cancellation.
    package init(maxBodyBytes: Int? = nil, bodyTimeout: Duration? = nil, cancelsOnDisconnect: Bool = true) {
        self.maxBodyBytes = maxBodyBytes
        self.bodyTimeout = bodyTimeout
        self.cancelsOnDisconnect = cancelsOnDisconnect
    }
}
