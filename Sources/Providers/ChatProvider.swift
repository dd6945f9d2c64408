// SPDX-License-Identifier: Apache-2.0

/// Something that answers chats: one implementation a vendor's form, shared by all who use it.
package protocol ChatProvider: Sendable {
    /// A short constant name, the bounded label of metrics and logs.
    var name: String { get }

    /// What it can do, whatever the model.
    var capabilities: ProviderCapabilities { get }

    /// Asks for an answer that comes in pieces. Returns when the provider has accepted; nothing was put out before.
    ///
    /// - Throws: what the provider or the way to it refused; ``ProviderError/Cause/streamingRefused`` when only the
    ///   streaming was, so that the caller may ask with ``complete(_:)``.
    func stream(_ request: ProviderRequest) async throws(ProviderError) -> ProviderStream

    /// Asks for a whole answer.
    func complete(_ request: ProviderRequest) async throws(ProviderError) -> ProviderCompletion
}

/// What a vendor's form offers.
package struct ProviderCapabilities: Sendable, Hashable {
    /// Answers can come in pieces.
    package var streams: Bool
    /// Function calls.
    package var tools: Bool
    /// Images in prompts, where the model takes them.
    package var images: Bool
    /// Token figures come with the answer.
    package var reportsUsage: Bool
    /// Nothing works without a key.
    package var needsKey: Bool

    /// See the properties.
    package init(streams: Bool, tools: Bool, images: Bool, reportsUsage: Bool, needsKey: Bool) {
        self.streams = streams
        self.tools = tools
        self.images = images
        self.reportsUsage = reportsUsage
        self.needsKey = needsKey
    }
}
