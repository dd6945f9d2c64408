// SPDX-License-Identifier: Apache-2.0
import HTTPClient
import Observability
import Runtime
import TestSupport

/// A loop, a client and a scripted server that live for one test.
func withClient<Value>(
    highWaterBytes: Int = 256 << 10, metrics: MetricsRegistry? = nil,
    serving script: @escaping @Sendable (RawConnection) throws -> Void,
    _ body: (HTTPClient, RawServer) async throws -> Value
) async throws -> Value {
    let loop = try EventLoop(name: "test")
    let configuration = HTTPClientConfiguration(
        userAgent: "switchyard/test", highWaterBytes: highWaterBytes)
    let client = HTTPClient(loops: [loop], configuration: configuration, metrics: metrics)
    let server = try RawServer(script)
    let result: Result<Value, any Error>
    do { result = .success(try await body(client, server)) } catch { result = .failure(error) }
    await client.shutDown()
    server.stop()
    loop.shutDown()
    return try result.get()
}

/// What a body brings before its error, as text.
func read(_ body: HTTPResponseBody) async -> (text: String, error: HTTPClientError?) {
    var bytes: [UInt8] = []
    do throws(HTTPClientError) {
        for try await chunk in body { bytes += chunk }
    } catch {
        return (String(decoding: bytes, as: UTF8.self), error)
    }
    return (String(decoding: bytes, as: UTF8.self), nil)
}

/// The code a call fails with; `nil` when it succeeds.
func failure<Value>(
    of body: () async throws(HTTPClientError) -> Value
) async -> HTTPClientError? {
    do throws(HTTPClientError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
