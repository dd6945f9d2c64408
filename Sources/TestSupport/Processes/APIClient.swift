// SPDX-License-Identifier: Apache-2.0
package import JSON
package import Runtime

/// A client of the API over real sockets, one connection a request.
package struct APIClient: Sendable {
    /// An answer that is not a stream.
    package struct Answer: Error, Sendable, CustomStringConvertible {
        /// 200, …
        package let status: Int
        /// Names in lower case.
        package let fields: [String: String]
        /// The body; null when it is no JSON.
        package let json: JSONValue
        /// What success carries.
        package var data: JSONValue { json["data"] ?? .null }
        /// The machine word of an error.
        package var code: String? { json["code"]?.stringValue }
        /// For the test's report.
        package var description: String { "\(status) " + String(decoding: JSONWriter.encode(json), as: UTF8.self) }
    }

    /// Where the API listens.
    package let address: SocketAddress

    /// A client without a token.
    package init(_ address: SocketAddress) { self.address = address }

    /// Sends a request and waits for the whole answer.
    package func send(
        _ method: String, _ path: String, _ body: JSONValue? = nil, fields: [String: String] = [:]
    ) async throws -> Answer {
        let exchange = try await HTTPExchange(request(method, path, body, fields), to: address)
        return try await answer(of: exchange, try await exchange.head())
    }

    /// Sends a request whose answer must be good.
    ///
    /// - Returns: what it carries.
    /// - Throws: ``Answer`` otherwise.
    package func call(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        let answer = try await send(method, path, body)
        guard (200..<300).contains(answer.status) else { throw answer }
        return answer.data
    }

    /// Sends a request that is answered with events.
    ///
    /// - Throws: ``Answer`` when it is not.
    package func stream(
        _ method: String, _ path: String, _ body: JSONValue? = nil, fields: [String: String] = [:],
        receiveBufferBytes: Int32? = nil
    ) async throws -> ReplyStream {
        let exchange = try await HTTPExchange(
            request(method, path, body, fields), to: address, receiveBufferBytes: receiveBufferBytes)
        let head = try await exchange.head()
        guard head.status == 200, head.fields["content-type"]?.hasPrefix("text/event-stream") == true else {
            throw try await answer(of: exchange, head)
        }
        return ReplyStream(exchange: exchange, head: head)
    }

    private func answer(of exchange: HTTPExchange, _ head: HTTPExchange.Head) async throws -> Answer {
        let text = try await exchange.text(of: head)
        await exchange.close()
        let isJSON = head.fields["content-type"]?.hasPrefix("application/json") == true
        return Answer(
            status: head.status, fields: head.fields, json: isJSON ? try JSONParser.parse(text) : .string(text))
    }

    private func request(
        _ method: String, _ path: String, _ body: JSONValue?, _ fields: [String: String]
    ) -> [UInt8] {
        let bytes = body.map(JSONWriter.encode) ?? []
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\n"
        if body != nil { head += "Content-Type: application/json\r\nContent-Length: \(bytes.count)\r\n" }
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        return Array((head + "\r\n").utf8) + bytes
    }
}
