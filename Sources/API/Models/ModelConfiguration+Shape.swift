// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence

extension ModelConfiguration {
    /// Writes the contract's `M`. The environment's models are the system's to clients.
    func write(to writer: inout JSONWriter) {
        let isPersonal = if case .personal = scope { true } else { false }
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("scope", isPersonal ? "personal" : "system")
            writer.member("name", fields.name)
            writer.member("provider", fields.provider.rawValue)
            writer.member("apiUrl", fields.apiURL)
            writer.member("model", fields.model)
            writer.member("hasApiKey", hasAPIKey)
            writer.member("supportsImages", fields.supportsImages)
            writer.member("contextLimit", fields.contextLimitTokens)
            if let maximum = fields.maximumOutputTokens { writer.member("maxOutputTokens", maximum) }
            writer.member("defaults", JSONValue.object(fields.defaults))
            if let prices = fields.prices {
                writer.objectMember("pricing") { writer in
                    writer.member("inputPerMillion", prices.inputPerMillion)
                    writer.member("outputPerMillion", prices.outputPerMillion)
                }
            }
            if !fields.limits.isEmpty {
                writer.objectMember("limits") { writer in
                    if let limit = fields.limits.maximumConcurrent { writer.member("maxConcurrent", limit) }
                    if let limit = fields.limits.requestsPerMinute { writer.member("requestsPerMinute", limit) }
                    if let limit = fields.limits.tokensPerMinute { writer.member("tokensPerMinute", limit) }
                }
            }
            writer.member("createdAt", createdAt.description)
            writer.member("updatedAt", updatedAt.description)
        }
    }
}
