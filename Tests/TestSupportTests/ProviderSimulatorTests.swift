// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPClient
import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ProviderSimulatorTests {
    private static func chunk(_ number: Int, _ model: String, _ delta: String, _ rest: String) -> String {
        #"data: {"id":"chatcmpl-\#(number)","object":"chat.completion.chunk","created":1,"model":"\#(model)","choices":"#
            + #"[{"index":0,"delta":\#(delta),"logprobs":null,"finish_reason":\#(rest)"# + "\n\n"
    }

    @Test func `a stream is, byte for byte, what the vendor sends`() async throws {
        try await withSimulator { simulator, client in
            let (text, error) = try await client.chat(simulator, model: "sim/text?text=Hi%20you")
            let chunk = { Self.chunk(1, "sim/text?text=Hi%20you", $0, $1) }
            #expect(error == nil)
            #expect(
                text == chunk(#"{"role":"assistant","content":""}"#, "null}]}")
                    + chunk(#"{"content":"Hi "}"#, "null}]}")
                    + chunk(#"{"content":"you"}"#, "null}]}") + chunk("{}", #""stop"}]}"#) + "data: [DONE]\n\n")
        }
    }

    @Test func `usage comes as a chunk of its own, and only when it is asked for`() async throws {
        try await withSimulator { simulator, client in
            let model = "m?toolCall=1&prompt=9"
            let (text, _) = try await client.chat(
                simulator, model: model, more: #","stream_options":{"include_usage":true}"#)
            let chunk = { Self.chunk(1, model, $0, $1) }
            let call = #"{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}"#
            let expected =
                chunk(#"{"role":"assistant","content":null,"tool_calls":[\#(call)]}"#, #"null}],"usage":null}"#)
                + chunk(
                    #"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}"#, #"null}],"usage":null}"#)
                + chunk(#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#, #"null}],"usage":null}"#)
                + chunk("{}", #""tool_calls"}],"usage":null}"#)
                + #"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"\#(model)","#
                + #""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}"# + "\n\n"
                + "data: [DONE]\n\n"
            #expect(text == expected)
        }
    }

    @Test func `an answer that is not streamed is one object`() async throws {
        try await withSimulator { simulator, client in
            let body = #"{"model":"sim","messages":[{"role":"user","content":"{\"simulator\":{\"tokens\":2}}"}]}"#
            let response = try await client.post(simulator, "/chat/completions", body)
            #expect(response.status == .ok)
            let value = try JSONParser.parse(try await response.body.collect(upTo: 10_000))
            #expect(value["object"] == "chat.completion")
            #expect(value["choices"]?[0]?["message"]?["content"] == "lorem ipsum")
            #expect(value["choices"]?[0]?["finish_reason"] == "stop")
            #expect(value["usage"]?["completion_tokens"] == 2)
        }
    }

    @Test func `the limit of tokens is kept`() async throws {
        try await withSimulator { simulator, client in
            let (text, _) = try await client.chat(simulator, model: "sim?tokens=10", more: #","max_tokens":3"#)
            #expect(text.contains(#""finish_reason":"length""#))
            #expect(text.split(separator: #""delta":{"content""#).count == 4)
        }
    }

    @Test(arguments: [
        ("fault=status429&retryAfter=7", 429, "rate_limit_exceeded"), ("fault=quota429", 429, "insufficient_quota"),
        ("fault=status500", 500, "server_error"), ("fault=status502", 502, "Bad Gateway"),
        ("fault=status503", 503, "server_is_overloaded"), ("fault=status401", 401, "invalid_api_key"),
        ("fault=400context", 400, "context_length_exceeded"), ("fault=refuseStream", 400, "unsupported_value"),
        ("refuse=messages", 400, "unsupported_parameter"),
    ])
    func `a fault of status answers so`(_ query: String, _ status: Int, _ word: String) async throws {
        try await withSimulator { simulator, client in
            let body = #"{"model":"sim?\#(query)","messages":[],"stream":true}"#
            let response = try await client.post(simulator, "/chat/completions", body)
            #expect(response.status.code == status)
            if query.contains("retryAfter") { #expect(response.fields[.retryAfter] == "7") }
            #expect(await response.text().text.contains(word))
        }
    }

    @Test(arguments: ["reset", "close"])
    func `a stream breaks after its tokens`(_ fault: String) async throws {
        try await withSimulator { simulator, client in
            let (text, error) = try await client.chat(simulator, model: "sim?tokens=9&fault=\(fault)&after=3")
            #expect(error?.code == .connectionLost)
            #expect(text.split(separator: #""delta":{"content""#).count == 4)
            await simulator.connectionsClosedBySimulator(1)
            #expect(simulator.connections.first?.sentTokenCount == 3)
        }
    }

    @Test(arguments: ["stall", "hang"])
    func `a silent stream stays open until the client leaves, which is recorded`(_ fault: String) async throws {
        try await withSimulator { simulator, client in
            let body = #"{"model":"sim?tokens=4&fault=\#(fault)&after=2","messages":[],"stream":true}"#
            let limits = HTTPClientTimeLimits(
                firstByte: fault == "hang" ? .milliseconds(50) : .seconds(30), idle: .milliseconds(50))
            do throws(HTTPClientError) {
                let response = try await client.open(
                    HTTPClientRequest(
                        .post, url: simulator.baseURL + "/chat/completions", body: Array(body.utf8), limits: limits))
                #expect(await response.text().error?.code == .idleTimeout)
            } catch {
                #expect(error.code == .firstByteTimeout)
            }
            await simulator.connectionsClosedByClient()
            #expect(simulator.connections.first?.sentTokenCount == (fault == "stall" ? 2 : 0))
        }
    }

    @Test func `a fault with times lets later requests through`() async throws {
        try await withSimulator { simulator, client in
            let model = "sim?tokens=1&fault=status503&times=2"
            for expected in [false, false, true] {
                let (text, _) = try await client.chat(simulator, model: model)
                #expect(text.contains("[DONE]") == expected)
            }
        }
    }

    @Test func `odd but legal streams say the same`() async throws {
        try await withSimulator { simulator, client in
            let text = "sch%C3%B6ne%20%E6%97%A5%E6%9C%AC%20%F0%9F%99%82"
            var streams: [String] = []
            for faults in ["none", "splitUTF8", "crlf", "heartbeats", "splitUTF8,crlf,heartbeats"] {
                streams.append(
                    try await client.chat(simulator, model: "s?text=\(text)&fault=\(faults)").text)
            }
            let plain = streams.map { stream in
                stream.replacing("\r\n", with: "\n").replacing(": ping\n\n", with: "")
                    .split(separator: "\n").compactMap { $0.split(separator: #""choices""#).last }
            }
            for stream in plain.dropFirst() { #expect(stream == plain[0]) }
            #expect(streams[2].contains("\r\n\r\n"))
            #expect(streams[3].contains(": ping\n\n"))
        }
    }

    @Test func `stamps count up and their times do not go back`() async throws {
        try await withSimulator { simulator, client in
            let start = ContinuousClock.now
            let (text, _) = try await client.chat(simulator, model: "sim?tokens=20&stamp=1&itl=1ms")
            // Absolute deadlines: no token is early, however late the first was.
            #expect(start.duration(to: .now) >= .milliseconds(19))
            let stamps = text.split(separator: #"{"content":""#).dropFirst()
                .compactMap { $0.split(separator: " ").first?.split(separator: "@").compactMap { Int($0) } }
            #expect(stamps.map { $0[0] } == Array(0..<20))
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $0[1] <= $1[1] })
        }
    }

    @Test func `embeddings are the same in both forms, unit length, and depend on the text only`() async throws {
        try await withSimulator { simulator, client in
            func vectors(_ format: String) async throws -> JSONValue {
                let body = #"{"model":"sim/e","input":["a","b","a"],"dimensions":4\#(format)}"#
                let response = try await client.post(simulator, "/embeddings", body)
                return try JSONParser.parse(try await response.body.collect(upTo: 10_000))
            }
            let floats = try await vectors("")
            let base64 = try await vectors(#","encoding_format":"base64""#)
            let first = try #require(floats["data"]?[0]?["embedding"]?.arrayValue).compactMap(\.doubleValue)
            #expect(first.count == 4)
            #expect(abs(first.reduce(0) { $0 + $1 * $1 } - 1) < 0.0001)
            #expect(floats["data"]?[0]?["embedding"] == floats["data"]?[2]?["embedding"])
            #expect(floats["data"]?[0]?["embedding"] != floats["data"]?[1]?["embedding"])
            // 16 bytes.
            #expect(base64["data"]?[0]?["embedding"]?.stringValue?.utf8.count == 24)
        }
    }

    @Test func `requests are recorded, and the control addresses tell them`() async throws {
        try await withSimulator { simulator, client in
            _ = try await client.chat(simulator, model: "sim?tokens=1")
            #expect(simulator.requests.count == 1)
            #expect(simulator.requests[0].path == "/v1/chat/completions")
            #expect(simulator.requests[0].fields["user-agent"] == "switchyard/test")
            #expect(simulator.requests[0].text.contains(#""model":"sim?tokens=1""#))
            let control = "http://127.0.0.1:\(simulator.port)/control"
            let response = try await client.open(HTTPClientRequest(.get, url: control + "/requests"))
            let value = try JSONParser.parse(try await response.body.collect(upTo: 10_000))
            #expect(value["requests"]?.arrayValue?.count == 1)
            #expect(value["requests"]?[0]?["path"] == "/v1/chat/completions")
            let reset = try await client.open(HTTPClientRequest(.post, url: control + "/reset"))
            #expect(reset.status == .ok)
            #expect(simulator.requests.isEmpty)
        }
    }
}
