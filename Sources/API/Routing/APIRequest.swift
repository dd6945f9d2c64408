// SPDX-License-Identifier: Apache-2.0
package import Chat
package import HTTP
package import HTTPServer
package import JSON
import Persistence

/// A request on its way through a handler: who sends it, and its parts, read and checked on demand.
package struct APIRequest: Sendable {
    /// As the server received it, with the route and the values of its `:name` parts.
    package let server: ServerRequest
    private let sender: Principal?
    private let limits: RequestLimits?

    /// Made by the route's registration; without `limits`, nothing is counted.
    init(_ server: ServerRequest, sender: Principal?, limits: RequestLimits? = nil) {
        self.server = server
        self.sender = sender
        self.limits = limits
    }

    /// In every answer and log line.
    package var id: String { server.id }
    /// Method, target, fields.
    package var head: HTTPRequest { server.head }

    /// On whose behalf the request acts.
    /// - Throws: `unauthenticated` on routes of ``AccessLevel/none``, which have no principal.
    package var principal: Principal {
        get throws(APIError) {
            guard let sender else { throw .unauthenticated }
            return sender
        }
    }

    /// The principal's id: the owner of everything the request sees and makes.
    package var userID: UserID {
        get throws(APIError) { try principal.userID }
    }

    /// Counts an attempt to become somebody by a name or a token, before anything is looked up or hashed for it.
    /// - Throws: `rate_limited`; `unavailable`.
    func countAttempt(on account: String) async throws(APIError) {
        try await limits?.admitAttempt(on: account)
    }

    /// The id that a `:name` part of the path holds.
    /// - Throws: `not_found`, because nothing can lie under an address that is no id.
    package func pathID<Tag>(_ name: String = "id") throws(APIError) -> Identifier<Tag> {
        guard let id = server.parameters[name].flatMap({ Identifier<Tag>($0) }) else { throw .notFound() }
        return id
    }

    /// The body as it came, of at most the route's size. Reading it does not look at its type.
    package func bytes() async throws(APIError) -> [UInt8] {
        do throws(HTTPServerError) {
            return try await server.body.collect()
        } catch {
            throw APIError(error)
        }
    }

    /// The body's object together with its bytes, for routes that hash them.
    /// - Throws: `unsupported_media_type`, `payload_too_large`, `malformed_json`, `validation_failed` when it is no object.
    package func objectAndBytes() async throws(APIError) -> (JSONObject, [UInt8]) {
        try JSONBody.checkType(head.fields)
        let bytes = try await bytes()
        guard let object = try await JSONBody.parse(bytes).objectValue else {
            throw .validation("body", "must be a JSON object")
        }
        return (object, bytes)
    }

    /// The body's members, read and checked by the closure; see ``RequestFields/read(_:_:)``.
    package func fields<Value>(
        _ read: (inout RequestFields) -> Value
    ) async throws(APIError) -> Value {
        try RequestFields.read(try await objectAndBytes().0, read)
    }

    /// The query's parameters, read and checked by the closure; see ``QueryFields/read(_:_:)``.
    package func query<Value>(_ read: (inout QueryFields) -> Value) throws(APIError) -> Value {
        try QueryFields.read(head.target, read)
    }
}
