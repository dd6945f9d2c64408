// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPClient
import Jobs
package import Persistence
package import Providers

/// Finds the code and the address for a model configuration.
package struct ProviderDirectory: Sendable {
    private let providers: [ModelProvider: any ChatProvider]
    private let allowsPrivateAddresses: Bool
    private let keeper: ProviderKeeper

    /// - Parameters:
    ///   - providers: a word without an entry fails its jobs for good.
    ///   - allowsPrivateAddresses: whether personal models may point into private networks.
    ///   - keeper: lets calls out.
    package init(
        _ providers: [ModelProvider: any ChatProvider], allowsPrivateAddresses: Bool, keeper: ProviderKeeper
    ) {
        self.providers = providers
        self.keeper = keeper
        self.allowsPrivateAddresses = allowsPrivateAddresses
    }

    func provider(for model: ResolvedModel) throws(JobFailure) -> ProtectedProvider {
        guard let provider = providers[model.fields.provider] else {
            throw JobFailure(
                .fatal, .internalError, "no provider «\(model.fields.provider.rawValue)» in this version")
        }
        return ProtectedProvider(provider, model: model, keeper: keeper)
    }

    func endpoint(for model: ResolvedModel) -> ProviderEndpoint {
        let isPersonal = if case .personal = model.configuration.scope { true } else { false }
        return ProviderEndpoint(
            baseURL: model.fields.apiURL, apiKey: model.apiKey,
            addressPolicy: isPersonal && !allowsPrivateAddresses ? .publicOnly : .any)
    }
}
