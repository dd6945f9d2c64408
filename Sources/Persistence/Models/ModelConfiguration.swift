// SPDX-License-Identifier: Apache-2.0
package import Chat
import Jobs
package import Observability

/// A model that can be chosen, as lists show it: without its key.
package struct ModelConfiguration: Sendable, Equatable {
    /// Who sees it and who may change it.
    package enum Scope: Sendable, Hashable {
        /// Its owner alone.
        case personal(UserID)
        /// Everyone sees it, an ADMIN changes it.
        case system
        /// Everyone sees it; it comes from this process's environment and cannot be changed.
        case environment
    }

    /// Stable for as long as it exists.
    package let id: ModelID
    /// Who sees it.
    package let scope: Scope
    /// What was set.
    package let fields: ModelFields
    /// Whether a key is stored.
    package let hasAPIKey: Bool
    /// By the database's clock; for the environment's, when the process started.
    package let createdAt: Timestamp
    /// As `createdAt`.
    package let updatedAt: Timestamp
}

/// A model with everything a request to its provider needs.
package struct ResolvedModel: Sendable {
    /// What it was resolved from; a personal address must not lead into private networks.
    package let configuration: ModelConfiguration
    /// The key, opened; `nil` when there is none.
    package let apiKey: Secret?

    /// The configuration's id.
    package var id: ModelID { configuration.id }
    /// What was set.
    package var fields: ModelFields { configuration.fields }
}

/// A row of `models`.
struct StoredModel {
    let configuration: ModelConfiguration
    let sealedKey: [UInt8]?

    init(_ columns: inout ColumnReader) throws(PersistenceError) {
        let id: ModelID = try columns.next()
        let owner: UserID? = try columns.next()
        let name: String = try columns.next()
        let provider = try columns.nextWord(ModelProvider.self)
        let apiURL: String = try columns.next()
        let model: String = try columns.next()
        sealedKey = try columns.next()
        let supportsImages: Bool = try columns.next()
        let contextLimit: Int = try columns.next()
        let maximumOutput: Int? = try columns.next()
        let defaults = try StoredJSON.parseObject(try columns.next(), column: "models.defaults")
        let inputPrice: Double? = try columns.next()
        let outputPrice: Double? = try columns.next()
        var prices: ModelPrices?
        if let inputPrice, let outputPrice {
            prices = ModelPrices(inputPerMillion: inputPrice, outputPerMillion: outputPrice)
        }
        let limits = ProviderLimits(
            maximumConcurrent: try columns.next(), requestsPerMinute: try columns.next(),
            tokensPerMinute: try columns.next())
        configuration = ModelConfiguration(
            id: id, scope: owner.map { .personal($0) } ?? .system,
            fields: ModelFields(
                name: name, provider: provider, apiURL: apiURL, model: model, supportsImages: supportsImages,
                contextLimitTokens: contextLimit, maximumOutputTokens: maximumOutput, defaults: defaults,
                prices: prices, limits: limits),
            hasAPIKey: sealedKey != nil, createdAt: try columns.next(), updatedAt: try columns.next())
    }
}
