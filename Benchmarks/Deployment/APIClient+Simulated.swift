// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport

extension APIClient {
    /// A session of the simulated model with a title, so that nothing is done for it but replies.
    func newTitledSession(modelID: String) async throws -> String {
        let session = try await call(
            "POST", "/api/sessions", ["modelId": .string(modelID), "title": "benchmark"])
        return session["id"]?.stringValue ?? ""
    }

    /// Many of them, a few at a time.
    func newTitledSessions(_ count: Int, modelID: String) async throws -> [String] {
        try await withThrowingTaskGroup(of: [String].self) { group in
            let lanes = min(8, count)
            for lane in 0..<lanes {
                group.addTask {
                    var sessions: [String] = []
                    for _ in stride(from: lane, to: count, by: lanes) {
                        sessions.append(try await newTitledSession(modelID: modelID))
                    }
                    return sessions
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// The bytes of a request for a reply, on a connection of its own.
    func chatRequest(_ content: String, session: String) -> [UInt8] {
        let body = JSONWriter.encode(["sessionId": .string(session), "content": .string(content)])
        let head = """
            POST /api/chat/stream HTTP/1.1\r
            Host: \(address)\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        return Array(head.utf8) + body
    }

    /// The bytes of a request to watch a reply.
    func watchRequest(_ messageID: String) -> [UInt8] {
        Array("GET /api/chat/stream/\(messageID) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n".utf8)
    }

    /// Calls the provider itself, as the product does.
    func callProvider(_ content: String) async throws -> ReplyStream {
        try await stream(
            "POST", "/v1/chat/completions",
            [
                "model": .string(BenchmarkDeployment.model), "stream": true,
                "messages": [["role": "user", "content": .string(content)]],
            ])
    }
}

/// A message that tells the simulated provider what to do.
func simulate(_ scenario: JSONObject) -> String {
    String(decoding: JSONWriter.encode(["simulator": .object(scenario)]), as: UTF8.self)
}
