// SPDX-License-Identifier: Apache-2.0
package import JSON

extension APIClient {
    /// The id of the system's model with this model string.
    package func modelID(_ model: String) async throws -> String {
        let models = try await call("GET", "/api/models")
        let found = models["system"]?.arrayValue?.first { $0["model"]?.stringValue == model }
        guard let id = found?["id"]?.stringValue else {
            throw Unheard(hasEnded: true, last: ["no model \(model) in \(models)"])
        }
        return id
    }

    /// A new session with this model. With a title of its own no title is made for it, so that the provider is asked
    /// for replies only.
    ///
    /// - Returns: its id.
    package func newSession(model: String, title: String? = nil) async throws -> String {
        var body: JSONObject = ["modelId": .string(try await modelID(model))]
        if let title { body["title"] = .string(title) }
        let session = try await call("POST", "/api/sessions", .object(body))
        return session["id"]?.stringValue ?? ""
    }

    /// Posts a message and takes the stream of the reply.
    package func post(
        _ content: String, to session: String, _ more: JSONObject = [:], key: String? = nil,
        receiveBufferBytes: Int32? = nil
    ) async throws -> ReplyStream {
        var body: JSONObject = ["sessionId": .string(session), "content": .string(content)]
        for (name, value) in more.members { body[name] = value }
        return try await stream(
            "POST", "/api/chat/stream", .object(body), fields: key.map { ["Idempotency-Key": $0] } ?? [:],
            receiveBufferBytes: receiveBufferBytes)
    }

    /// Takes up the stream of a reply after a cursor, or from its start.
    package func attach(to message: String, after cursor: String? = nil) async throws -> ReplyStream {
        try await stream(
            "GET", "/api/chat/stream/\(message)", fields: cursor.map { ["Last-Event-ID": $0] } ?? [:])
    }

    /// Messages of the session's current path, oldest first.
    package func messages(of session: String) async throws -> [JSONValue] {
        try await call("GET", "/api/sessions/\(session)/messages?limit=100")["items"]?.arrayValue ?? []
    }

    /// A message of the session's current path.
    package func message(_ id: String, of session: String) async throws -> JSONValue {
        try await messages(of: session).first { $0["id"]?.stringValue == id } ?? .null
    }
}

extension APIClient {
    /// A session as soon as it is as wished; asks again and again.
    package func session(
        _ id: String, within patience: Duration = .seconds(20), once isReached: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        try await poll("/api/sessions/\(id)", within: patience, until: isReached)
    }

    /// A job as soon as it is as wished; asks again and again.
    package func job(
        _ id: String, within patience: Duration = .seconds(20), once isReached: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        try await poll("/api/jobs/\(id)", within: patience, until: isReached)
    }

    private func poll(
        _ path: String, within patience: Duration, until isReached: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        let deadline = ContinuousClock.now + patience
        while true {
            let value = try await call("GET", path)
            if isReached(value) { return value }
            if .now > deadline { throw Unheard(hasEnded: false, last: ["GET \(path): \(value)"]) }
        }
    }
}
