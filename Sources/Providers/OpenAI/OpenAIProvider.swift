// SPDX-License-Identifier: Apache-2.0
import Chat
import FoundationEssentials
import HTTP
package import HTTPClient
import JSON
import Observability

/// OpenAI's chat completions, and every server that speaks their form at an address of its own.
package struct OpenAIProvider: ChatProvider {
    private static let answerLimitBytes = 16 << 20
    private static let errorLimitBytes = 64 << 10
    /// A server that refuses parameters one by one is asked so many times more.
    private static let maximumOmissions = 3

    /// `openai`.
    package let name = "openai"
    /// Everything; whether a key is needed is the server's affair.
    package let capabilities = ProviderCapabilities(
        streams: true, tools: true, images: true, reportsUsage: true, needsKey: false)

    private let client: HTTPClient

    /// A provider that asks through this client.
    package init(client: HTTPClient) {
        self.client = client
    }

    /// Asks with `stream: true`; parameters that the server refuses by name are left out, one by one.
    package func stream(_ request: ProviderRequest) async throws(ProviderError) -> ProviderStream {
        let start = ContinuousClock.now
        let (response, omitted) = try await ask(
            request, streams: true, limits: request.limits.beforeOutput(from: start))
        let requestID = response.fields[.xRequestID]
        let contentType = response.fields[.contentType]?.lowercased() ?? ""
        guard !contentType.contains("json") || contentType.contains("event-stream") else {
            // The server took no notice of `stream`: its whole answer is as good.
            let events = try await wholeAnswer(response, request, omitted).events
            return ProviderStream(
                requestID: requestID, omittedParameters: omitted, budget: Self.budget(response)
            ) { FixedEventSource(events: events) }
        }
        let limits = request.limits
        let apiKey = request.endpoint.apiKey
        return ProviderStream(requestID: requestID, omittedParameters: omitted, budget: Self.budget(response)) {
            OpenAIEventSource(body: response.body, limits: limits, decoder: OpenAIStreamDecoder(apiKey: apiKey))
        }
    }

    /// Asks without streaming.
    package func complete(_ request: ProviderRequest) async throws(ProviderError) -> ProviderCompletion {
        let (response, omitted) = try await ask(request, streams: false, limits: request.limits.forWhole(from: .now))
        return try await wholeAnswer(response, request, omitted)
    }

    // MARK: Asking

    /// Asks until the server accepts or refuses something that cannot be left out.
    private func ask(
        _ request: ProviderRequest, streams: Bool, limits: HTTPClientTimeLimits
    ) async throws(ProviderError) -> (HTTPClientResponse, omitted: Set<String>) {
        var omitted = request.omittedParameters
        var newlyOmitted: Set<String> = []
        while true {
            let body = OpenAIRequestBody(request: request, streams: streams, omitted: omitted)
            let response = try await send(body, limits: limits)
            if response.status.statusClass == 2 { return (response, newlyOmitted) }
            let error = try await refusal(response, request)
            let droppable = body.sentParameters.intersection(OpenAIRequestBody.optionalParameters)
            guard response.status.code == 400 || response.status.code == 422 else {
                throw self.error(response, error, request)
            }
            if newlyOmitted.count < Self.maximumOmissions, error.errorCode(status: 400).code == .providerBadResponse,
                let parameter = error.refusedParameter(among: droppable)
            {
                omitted.insert(parameter)
                newlyOmitted.insert(parameter)
                try await request.beforeRepeating?()
                continue
            }
            var thrown = self.error(response, error, request)
            if streams, error.refusesStreaming { thrown.cause = .streamingRefused }
            throw thrown
        }
    }

    private func send(
        _ body: OpenAIRequestBody, limits: HTTPClientTimeLimits
    ) async throws(ProviderError) -> HTTPClientResponse {
        let endpoint = body.request.endpoint
        var fields: HTTPFields = [
            "Content-Type": "application/json", "Accept": body.streams ? "text/event-stream" : "application/json",
        ]
        do throws(HTTPError) {
            if let key = endpoint.apiKey, !key.isEmpty {
                fields.set(.authorization, try HTTPFieldValue("Bearer \(key.revealed())"))
            }
        } catch {
            // A key with a line end in it would forge header fields.
            throw ProviderError(.providerAuth, .status, mayHaveReachedProvider: false)
        }
        do throws(HTTPClientError) {
            return try await client.open(
                HTTPClientRequest(
                    .post, url: OpenAIEndpoint.url("/chat/completions", base: endpoint.baseURL), fields: fields,
                    body: body.encode(), limits: limits, addressPolicy: endpoint.addressPolicy))
        } catch {
            throw transportError(error, body.request, isWithinBody: false)
        }
    }

    // MARK: Answers

    private func wholeAnswer(
        _ response: HTTPClientResponse, _ request: ProviderRequest, _ omitted: Set<String>
    ) async throws(ProviderError) -> ProviderCompletion {
        let bytes = try await collect(response, upTo: Self.answerLimitBytes, request)
        let value: JSONValue
        do throws(JSONError) { value = try JSONParser.parse(bytes, policy: .repairing) } catch {
            throw ProviderError(
                .providerBadResponse, .malformed, status: response.status.code, providerWords: error.description)
        }
        guard var completion = OpenAIAnswer.completion(value) else {
            guard value["error"] != nil else {
                throw ProviderError(.providerBadResponse, .malformed, status: response.status.code)
            }
            throw error(response, OpenAIErrorBody(value), request)
        }
        completion.requestID = response.fields[.xRequestID]
        completion.omittedParameters = omitted
        completion.budget = Self.budget(response)
        return completion
    }

    private func refusal(
        _ response: HTTPClientResponse, _ request: ProviderRequest
    ) async throws(ProviderError) -> OpenAIErrorBody {
        do throws(HTTPClientError) {
            return OpenAIErrorBody(body: try await response.body.collect(upTo: Self.errorLimitBytes))
        } catch {
            if error.code == .cancelled { throw transportError(error, request, isWithinBody: true) }
            // The status says enough.
            return OpenAIErrorBody(.string(""))
        }
    }

    private func collect(
        _ response: HTTPClientResponse, upTo limit: Int, _ request: ProviderRequest
    ) async throws(ProviderError) -> [UInt8] {
        do throws(HTTPClientError) {
            return try await response.body.collect(upTo: limit)
        } catch {
            throw transportError(error, request, isWithinBody: true)
        }
    }

    private func error(
        _ response: HTTPClientResponse, _ body: OpenAIErrorBody, _ request: ProviderRequest
    ) -> ProviderError {
        var error = ProviderError(
            status: response.status.code, body: body, fields: response.fields, apiKey: request.endpoint.apiKey,
            now: Int64(Date.now.timeIntervalSince1970))
        error.budget = Self.budget(response)
        return error
    }

    private static func budget(_ response: HTTPClientResponse) -> ProviderBudgetReport {
        ProviderBudgetReport(response.fields, now: Date.now.timeIntervalSince1970)
    }

    private func transportError(
        _ error: HTTPClientError, _ request: ProviderRequest, isWithinBody: Bool
    ) -> ProviderError {
        let isPastDeadline = request.limits.deadline.map { $0 <= .now } == true
        return ProviderError(error, hadOutput: false, isPastDeadline: isPastDeadline, isWithinBody: isWithinBody)
    }
}

/// An answer that is there already.
struct FixedEventSource: ProviderEventSource {
    var events: [ProviderEvent]

    mutating func next() async throws(ProviderError) -> [ProviderEvent]? {
        guard !events.isEmpty else { return nil }
        defer { events = [] }
        return events
    }
}
