// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPClient
import Runtime
import TestSupport

/// A simulator and a client that live for one test.
func withSimulator<Value>(_ body: (ProviderSimulator, HTTPClient) async throws -> Value) async throws -> Value {
    let simulator = try ProviderSimulator()
    let loop = try EventLoop(name: "test")
    let client = HTTPClient(loops: [loop], configuration: HTTPClientConfiguration(userAgent: "switchyard/test"))
    let result: Result<Value, any Error>
    do { result = .success(try await body(simulator, client)) } catch { result = .failure(error) }
    await client.shutDown()
    simulator.stop()
    loop.shutDown()
    return try result.get()
}

extension HTTPClient {
    /// Posts a body to a path below the simulator's base address.
    func post(
        _ simulator: ProviderSimulator, _ path: String, _ body: String, fields: HTTPFields = [:]
    ) async throws -> HTTPClientResponse {
        var fields = fields
        fields.set(.contentType, "application/json")
        return try await open(
            HTTPClientRequest(.post, url: simulator.baseURL + path, fields: fields, body: Array(body.utf8)))
    }

    /// What a chat stream brings before it ends or breaks.
    func chat(
        _ simulator: ProviderSimulator, model: String, message: String = "hi", more: String = ""
    ) async throws -> (text: String, error: HTTPClientError?) {
        let body = #"{"model":"\#(model)","messages":[{"role":"user","content":"\#(message)"}],"stream":true\#(more)}"#
        return await (try post(simulator, "/chat/completions", body)).text()
    }
}

extension HTTPClientResponse {
    /// What the body brings before it ends or breaks.
    func text() async -> (text: String, error: HTTPClientError?) {
        var bytes: [UInt8] = []
        do throws(HTTPClientError) {
            for try await chunk in body { bytes += chunk }
        } catch {
            return (String(decoding: bytes, as: UTF8.self), error)
        }
        return (String(decoding: bytes, as: UTF8.self), nil)
    }
}
