// SPDX-License-Identifier: Apache-2.0
import Chat
package import Persistence
import Providers
package import Tokenization

/// What handlers of chat and title jobs work with.
package struct ChatServices: Sendable {
    package var sessions: SessionStore
    package var messages: MessageStore
    package var models: ModelStore
    package var replies: ReplyStore
    package var settings: SettingsStore
    package var providers: ProviderDirectory
    package var counter: any TokenCounter
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
