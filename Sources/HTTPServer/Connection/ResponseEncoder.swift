// SPDX-License-Identifier: Apache-2.0
import HTTP

/// Turns an answer into bytes: the head with the server's own fields, and chunks.
enum ResponseEncoder {
    /// How the end of the body is told.
    enum Framing: Equatable { case none, length(Int), chunked, untilClose }

    struct Options {
        var requestID: String
        var isVersion10: Bool
        /// The connection ends after this answer.
        var closes: Bool
        var date: [UInt8]
    }

    /// Without a body where none may be; its length where it is known; chunks, or the connection's end for HTTP/1.0.
    static func framing(of response: ServerResponse, isVersion10: Bool) -> Framing {
        guard !response.status.forbidsBody else { return .none }
        switch response.body {
        case .none: return .length(0)
        case .bytes(let bytes): return .length(bytes.count)
        case .stream, .eventStream: return isVersion10 ? .untilClose : .chunked
        }
    }

    static func encodeHead(
        _ response: ServerResponse, _ framing: Framing, _ options: Options, into bytes: inout [UInt8]
    ) {
        var head = HTTPResponse(response.status, fields: response.fields)
        for owned: HTTPFieldName in [.connection, .contentLength, .transferEncoding, .date, .xRequestID]
        where head.fields[owned] != nil {
            head.fields.remove(owned)
        }
        head.encode(into: &bytes)
        append("Date: ", options.date, &bytes)
        append("X-Request-Id: ", options.requestID.utf8, &bytes)
        switch framing {
        case .none, .untilClose: break
        case .length(let count): append("Content-Length: ", String(count).utf8, &bytes)
        case .chunked: append("Transfer-Encoding: ", "chunked".utf8, &bytes)
        }
        if options.closes {
            append("Connection: ", "close".utf8, &bytes)
        } else if options.isVersion10 {
            append("Connection: ", "keep-alive".utf8, &bytes)
        }
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// One chunk; nothing for no bytes, which would end the body.
    static func encodeChunk(_ content: [UInt8], into bytes: inout [UInt8]) {
        guard !content.isEmpty else { return }
        bytes.append(contentsOf: String(content.count, radix: 16).utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        bytes.append(contentsOf: content)
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// The chunk that ends a body.
    static func encodeLastChunk(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: "0\r\n\r\n".utf8)
    }

    private static func append(_ name: StaticString, _ value: some Sequence<UInt8>, _ bytes: inout [UInt8]) {
        bytes.append(contentsOf: name.description.utf8)
        bytes.append(contentsOf: value)
        bytes.append(contentsOf: "\r\n".utf8)
    }
}
