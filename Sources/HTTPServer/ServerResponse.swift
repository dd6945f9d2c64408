// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// What a handler answers. Framing fields and `X-Request-Id` are the server's and replaced.
package struct ServerResponse: Sendable {
    /// How the body comes about.
    package enum Body: Sendable {
        /// No bytes.
        case none
        /// All of them at once.
        case bytes([UInt8])
        /// Written piece by piece within the request's task; throwing cuts the connection, so that the client sees
        /// that something is missing.
        case stream(@Sendable (ResponseBodyWriter) async throws -> Void)
        /// Written from outside, without a task.
        case eventStream(EventStreamBody)
    }

    /// How an event stream begins.
    package struct EventStreamBody: Sendable {
        let heartbeat: Duration
        let onOpen: @Sendable (EventStreamWriter) -> Void
    }

    /// The outcome.
    package var status: HTTPStatus
    /// The details.
    package var fields: HTTPFields
    /// The content.
    package var body: Body

    /// An answer from its parts.
    package init(_ status: HTTPStatus, fields: HTTPFields = [:], body: Body = .none) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// A `text/event-stream` with a head that is sent at once.
    ///
    /// - Parameters:
    ///   - fields: further fields; those that make it an event stream are set over them.
    ///   - heartbeat: how often a comment is sent, counted from the head on; granular to a quarter of a second.
    ///   - onOpen: called once on the loop's thread with the writer; must not block. Not called for HEAD or when the
    ///     client has gone.
    /// - Returns: the answer, whose body begins when the server has written its head.
    package static func eventStream(
        fields: HTTPFields = [:], heartbeat: Duration, onOpen: @escaping @Sendable (EventStreamWriter) -> Void
    ) -> ServerResponse {
        var fields = fields
        fields.set(.contentType, "text/event-stream; charset=utf-8")
        fields.set(.cacheControl, "no-cache, no-transform")
        fields.set(.xAccelBuffering, "no")
        return ServerResponse(
            .ok, fields: fields, body: .eventStream(EventStreamBody(heartbeat: heartbeat, onOpen: onOpen)))
    }
}
