// SPDX-License-Identifier: Apache-2.0
package import JSON
package import Jobs

/// Whose interface a model is asked through. The raw value is stored and is what clients see.
package enum ModelProvider: String, Sendable, Hashable, CaseIterable {
    case openAI = "openai"
    case anthropic
    case google
    case ollama
    case azure
    case local
}

/// What a model costs, in dollars for a million tokens.
package struct ModelPrices: Sendable, Hashable {
    /// For the prompt.
    package var inputPerMillion: Double
    /// For the reply.
    package var outputPerMillion: Double

    /// See the properties.
    package init(inputPerMillion: Double, outputPerMillion: Double) {
        self.inputPerMillion = inputPerMillion
        self.outputPerMillion = outputPerMillion
    }
}

/// What a person sets of a configuration, but for the key.
package struct ModelFields: Sendable, Equatable {
    /// Unique among the owner's.
    package var name: String
    /// Whose interface.
    package var provider: ModelProvider
    /// The base address; empty for the local provider.
    package var apiURL: String
    /// The provider's own name of the model.
    package var model: String
    /// Whether images may be sent.
    package var supportsImages: Bool
    /// Tokens of prompt and reply together.
    package var contextLimitTokens: Int
    /// Of one reply; `nil` leaves it to the provider.
    package var maximumOutputTokens: Int?
    /// Parameters of requests that do not give their own, as clients spell them.
    package var defaults: JSONObject
    /// `nil` when they are not known, which is not the same as free.
    package var prices: ModelPrices?
    /// What all processes together may ask of it.
    package var limits: ProviderLimits

    /// See the properties.
    package init(
        name: String, provider: ModelProvider, apiURL: String, model: String, supportsImages: Bool,
        contextLimitTokens: Int, maximumOutputTokens: Int? = nil, defaults: JSONObject = JSONObject(),
        prices: ModelPrices? = nil, limits: ProviderLimits = ProviderLimits()
    ) {
        self.name = name
        self.provider = provider
        self.apiURL = apiURL
        self.model = model
        self.supportsImages = supportsImages
        self.contextLimitTokens = contextLimitTokens
        self.maximumOutputTokens = maximumOutputTokens
        self.defaults = defaults
        self.prices = prices
        self.limits = limits
    }
}
