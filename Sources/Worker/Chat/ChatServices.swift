// SPDX-License-Identifier: Apache-2.0
import Chat
package import Persistence
import Providers
package import Tokenization

/// What handlers of chat and title jobs work with.
package struct ChatServices: Sendable {
    /// For the session's model and instructions.
    package var sessions: SessionStore
    /// For the thread that is sent to the provider.
    package var messages: MessageStore
    /// Resolves a turn's model to an address, a key and limits.
    package var models: ModelStore
    /// Marks a reply as begun before the provider is called.
    package var replies: ReplyStore
    /// Read at each use, so that a change holds for the next run.
    package var settings: SettingsStore
    /// The code behind each provider's word.
    package var providers: ProviderDirectory
    /// Estimates what the thread costs before it is sent.
    package var counter: any TokenCounter
    /// Limits of models that their configuration leaves open.
    package var catalogue: ModelCatalogue
    /// Longest wait for a first token; silences and whole calls are bounded by the settings in force.
    package var firstTokenLimit: Duration?

    /// See the properties.
    package init(
        sessions: SessionStore, messages: MessageStore, models: ModelStore, replies: ReplyStore,
        settings: SettingsStore, providers: ProviderDirectory, counter: any TokenCounter,
        catalogue: ModelCatalogue, firstTokenLimit: Duration?
    ) {
        self.sessions = sessions
        self.messages = messages
        self.models = models
        self.replies = replies
        self.settings = settings
        self.providers = providers
        self.counter = counter
        self.catalogue = catalogue
        self.firstTokenLimit = firstTokenLimit
    }

    /// The limits of one call, from the settings in force.
    func limits() -> ProviderTimeLimits {
        let settings = settings.current
        return ProviderTimeLimits(
            firstToken: firstTokenLimit ?? settings.providerMaxIdle, idle: settings.providerMaxIdle,
            deadline: .now + settings.providerTimeout)
    }
}
