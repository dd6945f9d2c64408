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
