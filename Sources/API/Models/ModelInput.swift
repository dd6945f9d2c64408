// SPDX-License-Identifier: Apache-2.0
import JSON
import Jobs
import Observability
import Persistence
import Tokenization

/// A model's body as it was sent: what is absent is taken from what is stored, or from what is known of the model.
struct ModelInput: Sendable {
    var name: String?
    var provider: ModelProvider?
    var address: ProviderAddress?
    var model: String?
    var apiKey: FieldChange<Secret>
    var supportsImages: Bool?
    var contextLimitTokens: Int?
    var maximumOutputTokens: FieldChange<Int>
    var defaults: JSONObject?
    var prices: FieldChange<ModelPrices>
    var limits: FieldChange<ProviderLimits>

    /// - Parameters:
    ///   - fields: the body's.
    ///   - old: what is stored; `nil` for a new model, which must have a name, a provider and a model.
    ///   - allowsPrivateAddresses: whether the address may lead into private networks.
    init(_ fields: inout RequestFields, old: ModelFields?, allowsPrivateAddresses: Bool) {
        let isNew = old == nil
        let text = TextRule.notBlank(upTo: 200)
        name = isNew ? fields.string("name", text) : fields.optionalString("name", text)
        provider = isNew ? fields.word("provider", else: .openAI) : fields.optionalWord("provider")
        model = isNew && provider != .local ? fields.string("model", text) : fields.optionalString("model", text)
        address = Self.address(&fields, allowsPrivateAddresses: allowsPrivateAddresses)
        if address == nil, let provider, provider != old?.provider,
            !provider.hasOwnAddress(allowsPrivateAddresses: allowsPrivateAddresses)
        {
            fields.fail("apiUrl", "is required for this provider")
        }
        apiKey = Self.apiKey(&fields)
        supportsImages = fields.optionalBool("supportsImages")
        contextLimitTokens = fields.optionalInteger("contextLimit", in: 256...100_000_000)
        let maximum = fields.optionalInteger("maxOutputTokens", in: 1...100_000_000)
        maximumOutputTokens = fields.mentions("maxOutputTokens") ? .set(maximum) : .keep
        defaults = fields.optionalParameters("defaults")
        let prices = fields.optionalObject("pricing") { fields in
            ModelPrices(
                inputPerMillion: fields.number("inputPerMillion", in: 0...1_000_000),
                outputPerMillion: fields.number("outputPerMillion", in: 0...1_000_000))
        }
        self.prices = fields.mentions("pricing") ? .set(prices) : .keep
        let limits = fields.optionalObject("limits") { fields in
            ProviderLimits(
                maximumConcurrent: fields.optionalInteger("maxConcurrent", in: 1...1_000_000),
                requestsPerMinute: fields.optionalInteger("requestsPerMinute", in: 1...1_000_000_000),
                tokensPerMinute: fields.optionalInteger("tokensPerMinute", in: 1...1_000_000_000))
        }
        self.limits = fields.mentions("limits") ? .set(limits) : .keep
    }

    private static func address(
        _ fields: inout RequestFields, allowsPrivateAddresses: Bool
    ) -> ProviderAddress? {
        guard let text = fields.optionalString("apiUrl", TextRule(length: 0...ProviderAddress.maximumBytes)),
            !text.isEmpty
        else { return nil }
        guard let address = ProviderAddress(text) else {
            fields.fail("apiUrl", "must be an http or https address without credentials")
            return nil
        }
        if address.isPrivateLiteral, !allowsPrivateAddresses {
            fields.fail("apiUrl", "must not lead into a private network")
        }
        return address
    }

    /// Keys travel in header fields, so they hold printable ASCII. Null and empty text take the stored one away.
    private static func apiKey(_ fields: inout RequestFields) -> FieldChange<Secret> {
        let rule = TextRule(length: 0...4096) { text in
            text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? nil : "may hold only printable ASCII characters"
        }
        switch fields.stringChange("apiKey", rule) {
        case .keep: return .keep
        case .set(let text): return .set(text.flatMap { $0.isEmpty ? nil : Secret($0) })
        }
    }
}

extension ModelInput {
    /// The fields of a new model.
    func newFields(_ catalogue: ModelCatalogue) -> ModelFields {
        let provider = provider ?? .local
        let model = model ?? ModelProvider.local.rawValue
        let known = catalogue.limits(for: model)
        return ModelFields(
            name: name ?? "", provider: provider, apiURL: address?.base(for: provider) ?? provider.publicAddress,
            model: model, supportsImages: supportsImages ?? false,
            contextLimitTokens: contextLimitTokens ?? known.contextWindowTokens,
            maximumOutputTokens: Self.applied(maximumOutputTokens, to: nil), defaults: defaults ?? JSONObject(),
            prices: Self.applied(
                prices,
                to: known.pricing.map {
                    ModelPrices(inputPerMillion: $0.inputPerMillion, outputPerMillion: $0.outputPerMillion)
                }), limits: Self.applied(limits, to: nil) ?? ProviderLimits())
    }

    /// The stored fields with what was sent laid over them. Without a new address, another provider gets its own one.
    func applied(to old: ModelFields) -> ModelFields {
        var fields = old
        let provider = provider ?? old.provider
        fields.name = name ?? old.name
        fields.provider = provider
        fields.model = model ?? old.model
        if let address {
            fields.apiURL = address.base(for: provider)
        } else if provider != old.provider {
            fields.apiURL = provider.publicAddress
        }
        fields.supportsImages = supportsImages ?? old.supportsImages
        fields.contextLimitTokens = contextLimitTokens ?? old.contextLimitTokens
        fields.maximumOutputTokens = Self.applied(maximumOutputTokens, to: old.maximumOutputTokens)
        fields.defaults = defaults ?? old.defaults
        fields.prices = Self.applied(prices, to: old.prices)
        fields.limits = Self.applied(limits, to: old.limits) ?? ProviderLimits()
        return fields
    }

    private static func applied<Value>(_ change: FieldChange<Value>, to old: Value?) -> Value? {
        switch change {
        case .keep: old
        case .set(let value): value
        }
    }
}

extension ModelProvider {
    /// Whether the vendor's own address can stand in for one that is not given.
    fileprivate func hasOwnAddress(allowsPrivateAddresses: Bool) -> Bool {
        if self == .local { return true }
        guard let address = ProviderAddress(publicAddress) else { return false }
        return allowsPrivateAddresses || !address.isPrivateLiteral
    }
}
