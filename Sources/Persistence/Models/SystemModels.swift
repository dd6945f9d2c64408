// SPDX-License-Identifier: Apache-2.0
package import Chat
import Cryptography
package import Jobs
package import Observability

/// What the environment says of one provider.
package struct EnvironmentProvider: Sendable {
    /// Whose interface.
    package var provider: ModelProvider
    /// The key, if one is set.
    package var apiKey: Secret?
    /// The address, if one is set; else the vendor's.
    package var baseURL: String?
    /// The vendor's names of the models to offer, the usual one first.
    package var models: [String]
    /// Of each of the models by itself.
    package var limits: ProviderLimits

    /// See the properties.
    package init(
        provider: ModelProvider, apiKey: Secret? = nil, baseURL: String? = nil, models: [String],
        limits: ProviderLimits = ProviderLimits()
    ) {
        self.provider = provider
        self.apiKey = apiKey
        self.baseURL = baseURL
        self.models = models
        self.limits = limits
    }

    /// Whether it is offered: the local one always, others when a key or an address is set.
    var isOffered: Bool { provider == .local || hasKey || baseURL?.isEmpty == false }

    /// An empty variable counts as unset.
    var hasKey: Bool { apiKey?.isEmpty == false }
}

/// System models that need no set-up: they exist as long as the environment names their provider, in memory only.
///
/// Their ids are made from their names, so a session keeps its model over restarts and on every process that has the
/// same environment. A provider's first model is named as the provider, so that naming another one in the environment
/// changes what old sessions use instead of breaking them; further ones are named `provider/model`.
package struct SystemModels: Sendable {
    /// What a catalogue knows of a model.
    package struct Traits: Sendable {
        /// Tokens of prompt and reply together.
        package var contextLimitTokens: Int
        /// Whether images may be sent.
        package var supportsImages: Bool
        /// `nil` when they are not known.
        package var prices: ModelPrices?

        /// See the properties.
        package init(contextLimitTokens: Int, supportsImages: Bool, prices: ModelPrices? = nil) {
            self.contextLimitTokens = contextLimitTokens
            self.supportsImages = supportsImages
            self.prices = prices
        }
    }

    /// What they are, in the order of the providers given; the local one is always among them.
    package let models: [ResolvedModel]

    /// - Parameters:
    ///   - providers: in the order in which one of them becomes the default.
    ///   - startedAt: shown as the time they were made.
    ///   - traits: of a provider's model.
    package init(
        _ providers: [EnvironmentProvider], startedAt: Timestamp,
        traits: (_ provider: ModelProvider, _ model: String) -> Traits
    ) {
        var providers = providers.filter(\.isOffered)
        if !providers.contains(where: { $0.provider == .local }) {
            providers.append(EnvironmentProvider(provider: .local, models: ["local"]))
        }
        models = providers.flatMap { provider in
            provider.models.enumerated().map { index, model in
                let known = traits(provider.provider, model)
                let name = index == 0 ? provider.provider.rawValue : "\(provider.provider.rawValue)/\(model)"
                let address = provider.baseURL.flatMap { $0.isEmpty ? nil : $0 }
                return ResolvedModel(
                    configuration: ModelConfiguration(
                        id: Self.id(named: name), scope: .environment,
                        fields: ModelFields(
                            name: name, provider: provider.provider,
                            apiURL: address ?? provider.provider.publicAddress, model: model,
                            supportsImages: known.supportsImages, contextLimitTokens: known.contextLimitTokens,
                            prices: known.prices, limits: provider.limits),
                        hasAPIKey: provider.hasKey, createdAt: startedAt, updatedAt: startedAt),
                    apiKey: provider.hasKey ? provider.apiKey : nil)
            }
        }
    }

    /// By id; `nil` when the environment does not name it now.
    func find(_ id: ModelID) -> ResolvedModel? { models.first { $0.id == id } }

    /// By name, else by the provider's name of the model.
    func find(named name: String) -> ResolvedModel? {
        models.first { $0.fields.name == name } ?? models.first { $0.fields.model == name }
    }

    /// The first that has a key, else the local one.
    var preferred: ResolvedModel? {
        models.first { $0.apiKey != nil } ?? models.first { $0.fields.provider == .local }
    }

    /// A UUIDv8 of the name's SHA-256.
    static func id(named name: String) -> ModelID {
        let hash = SHA256.hash(Array("switchyard system model \(name)".utf8))
        func half(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return ModelID(
            high: half(hash[0..<8]) & ~0xF000 | 0x8000, low: half(hash[8..<16]) & ~(0b11 << 62) | 0b10 << 62)
    }
}

extension ModelProvider {
    /// The vendor's address; empty where there is none.
    package var publicAddress: String {
        switch self {
        case .openAI: "https://api.openai.com/v1"
        case .anthropic: "https://api.anthropic.com"
        case .google: "https://generativelanguage.googleapis.com"
        case .ollama: "http://127.0.0.1:11434"
        case .azure, .local: ""
        }
    }
}
