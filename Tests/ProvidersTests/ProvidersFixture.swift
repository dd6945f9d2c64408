// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPClient
import Observability
import Providers
import Runtime
import TestSupport

/// A simulator and a provider that asks it, for one test.
func withSimulator<Value>(
    _ body: (ProviderSimulator, OpenAIProvider) async throws -> Value
) async throws -> Value {
    let simulator = try ProviderSimulator()
    defer { simulator.stop() }
    return try await withProvider { try await body(simulator, $0) }
}

/// A server that sends what a script says, and a provider that asks it, for one test.
func withServer<Value>(
    _ script: @escaping @Sendable (RawConnection) throws -> Void,
    _ body: (RawServer, OpenAIProvider) async throws -> Value
) async throws -> Value {
    let server = try RawServer(script)
    defer { server.stop() }
    return try await withProvider { try await body(server, $0) }
}

private func withProvider<Value>(_ body: (OpenAIProvider) async throws -> Value) async throws -> Value {
    let loop = try EventLoop(name: "test")
    let client = HTTPClient(loops: [loop], configuration: HTTPClientConfiguration(userAgent: "switchyard/test"))
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(OpenAIProvider(client: client)))
    } catch { result = .failure(error) }
    await client.shutDown()
    loop.shutDown()
    return try result.get()
}

extension ProviderSimulator {
    /// A question whose model string tells the simulator what to do.
    func request(_ query: String, limits: ProviderTimeLimits = ProviderTimeLimits()) -> ProviderRequest {
        ProviderRequest(
            endpoint: ProviderEndpoint(baseURL: baseURL, apiKey: Secret("sk-secret-key-0123456789")),
            model: "sim?\(query)", messages: [ChatMessage(role: .user, content: "Hello")], limits: limits)
    }
}

/// What came of a stream, joined, and how it ended.
struct Outcome {
    var text = ""
    var reasoning = ""
    var calls = ToolCallAccumulator()
    var finish: FinishReason?
    var usage: ReportedUsage?
    var error: ProviderError?
    var batchCount = 0
    var omittedParameters: Set<String> = []
}

extension ChatProvider {
    /// Asks with streaming and takes down what happens.
    func outcome(_ request: ProviderRequest) async -> Outcome {
        var outcome = Outcome()
        do throws(ProviderError) {
            let stream = try await stream(request)
            outcome.omittedParameters = stream.omittedParameters
            for try await batch in stream {
                outcome.batchCount += 1
                for event in batch {
                    switch event {
                    case .content(let text): outcome.text += text
                    case .reasoning(let text): outcome.reasoning += text
                    case .toolCall(let delta): outcome.calls.append(delta)
                    case .finish(let reason): outcome.finish = reason
                    case .usage(let usage): outcome.usage = usage
                    }
                }
            }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// What asking without streaming fails with.
    func completionError(_ request: ProviderRequest) async -> ProviderError? {
        do throws(ProviderError) {
            _ = try await complete(request)
            return nil
        } catch { return error }
    }
}
