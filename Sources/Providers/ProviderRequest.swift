// SPDX-License-Identifier: Apache-2.0
package import Chat
package import HTTPClient
package import JSON
package import Observability

/// One question to a provider, the same for every vendor's form.
package struct ProviderRequest: Sendable {
    /// Where to ask, and with which key.
    package var endpoint: ProviderEndpoint
    /// The provider's name for the model.
    package var model: String
    /// The prompt, oldest first.
    package var messages: [ChatMessage]
    /// Left to the provider when `nil`.
    package var temperature: Double?
    /// Left to the provider when `nil`.
    package var topP: Double?
    /// Of the answer, with its thinking; left to the provider when `nil`.
    package var maxTokens: Int?
    /// Texts at which the answer ends.
    package var stop: [String] = []
    /// Function descriptions in OpenAI's form.
    package var tools: [JSONValue] = []
    /// In OpenAI's form.
    package var toolChoice: JSONValue?
    /// `low`, `medium`, `high` or what else the model knows.
    package var reasoningEffort: String?
    /// Further members in OpenAI's form, sent where the vendor takes them; they never replace one of the above.
    package var extraParameters: JSONObject = [:]
    /// Members that the provider is known to refuse.
    package var omittedParameters: Set<String> = []
    /// How long it may take.
    package var limits: ProviderTimeLimits
    /// What the prompt was counted to have; the bytes tell where it was not.
    package var promptTokens: Int?
    /// Asked before the provider is asked a second time within one call, as when a parameter was refused: each time is a
    /// request of its own to the provider's limits.
    package var beforeRepeating: (@Sendable () async throws(ProviderError) -> Void)?

    /// A question with nothing but a prompt.
    package init(
        endpoint: ProviderEndpoint, model: String, messages: [ChatMessage],
        limits: ProviderTimeLimits = ProviderTimeLimits()
    ) {
        self.endpoint = endpoint
        self.model = model
        self.messages = messages
        self.limits = limits
    }
}

/// Where a provider is.
package struct ProviderEndpoint: Sendable {
    /// The base address, or a full endpoint's, which is cut. Not read by the local provider.
    package var baseURL: String
    /// Sent as the vendor wants it; `nil` sends none.
    package var apiKey: Secret?
    /// `publicOnly` for addresses that a user has typed in.
    package var addressPolicy: AddressPolicy

    /// See the properties.
    package init(baseURL: String, apiKey: Secret? = nil, addressPolicy: AddressPolicy = .any) {
        self.baseURL = baseURL
        self.apiKey = apiKey
        self.addressPolicy = addressPolicy
    }
}

/// How long the parts of a call may take.
package struct ProviderTimeLimits: Sendable, Hashable {
    /// To a standing connection.
    package var connect: Duration
    /// From the call to the first output, with the connecting.
    package var firstToken: Duration
    /// Silence after that.
    package var idle: Duration
    /// When the whole call must be over; `nil` for no such bound.
    package var deadline: ContinuousClock.Instant?

    /// 10 s, 120 s, 60 s and no deadline unless given.
    package init(
        connect: Duration = .seconds(10), firstToken: Duration = .seconds(120), idle: Duration = .seconds(60),
        deadline: ContinuousClock.Instant? = nil
    ) {
        self.connect = connect
        self.firstToken = firstToken
        self.idle = idle
        self.deadline = deadline
    }

    /// For a streamed answer until its first output.
    func beforeOutput(from start: ContinuousClock.Instant) -> HTTPClientTimeLimits {
        let firstOutput = start + firstToken
        return HTTPClientTimeLimits(
            connect: connect, firstByte: firstToken, idle: firstToken,
            deadline: deadline.map { min($0, firstOutput) } ?? firstOutput)
    }

    /// For an answer that comes whole: its head comes when all of it is made.
    func forWhole(from start: ContinuousClock.Instant) -> HTTPClientTimeLimits {
        let patience = deadline.map { start.duration(to: $0) } ?? max(firstToken, .seconds(600))
        return HTTPClientTimeLimits(connect: connect, firstByte: patience, idle: idle, deadline: deadline)
    }
}
