// SPDX-License-Identifier: Apache-2.0

/// Addresses of an OpenAI-compatible server, from what people put into the field.
enum OpenAIEndpoint {
    /// The vendor's own.
    static let defaultBase = "https://api.openai.com/v1"

    private static let endpoints = ["/chat/completions", "/completions", "/embeddings", "/models", "/responses"]

    /// The address of an endpoint below a base. A base that is an endpoint's address already is cut; a query stays.
    static func url(_ path: String, base: String) -> String {
        let given = base.isEmpty ? defaultBase : base
        let parts = given.split(separator: "?", maxSplits: 1)
        var address = String(parts.first ?? "")
        while address.hasSuffix("/") { address.removeLast() }
        if let endpoint = endpoints.first(where: address.hasSuffix) { address.removeLast(endpoint.count) }
        while address.hasSuffix("/") { address.removeLast() }
        return address + path + (parts.count > 1 ? "?\(parts[1])" : "")
    }
}
