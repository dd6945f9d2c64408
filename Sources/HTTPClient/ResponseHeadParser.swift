// SPDX-License-Identifier: Apache-2.0
import HTTP

/// Collects a response's head from the lines that libcurl cuts. Interim heads (1xx) and trailers are left out.
struct ResponseHeadParser {
    enum Outcome {
        case more
        case complete(ResponseHead)
        case failed(HTTPClientError.Code)
    }

    private let limitBytes: Int
    private var byteCount = 0
    private var status: HTTPStatus?
    private var fields = HTTPFields()
    private(set) var isComplete = false

    init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    /// Takes one line with its end.
    mutating func feed(_ line: some Collection<UInt8>) -> Outcome {
        byteCount += line.count
        guard byteCount <= limitBytes else { return .failed(.tooLarge) }
        if isComplete { return .more }
        let text = Array(line.prefix { $0 != 0x0D && $0 != 0x0A })
        guard let status else {
            guard let status = Self.status(of: text) else { return .failed(.protocolError) }
            self.status = status
            return .more
        }
        guard text.isEmpty else {
            append(text)
            return .more
        }
        guard status.code >= 200 else {
            self.status = nil
            fields = HTTPFields()
            return .more
        }
        isComplete = true
        return .complete(ResponseHead(status: status, fields: fields))
    }

    private static func status(of line: [UInt8]) -> HTTPStatus? {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, words[0].starts(with: "HTTP/".utf8), words[1].count == 3,
            let code = Int(String(decoding: words[1], as: UTF8.self))
        else { return nil }
        return HTTPStatus(code: code)
    }

    /// What is no field is left out: a server we do not control may send anything, and the rest is still of use.
    private mutating func append(_ line: [UInt8]) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        let name: HTTPFieldName
        do throws(HTTPError) { name = try HTTPFieldName(String(decoding: line[..<colon], as: UTF8.self)) } catch {
            return
        }
        let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
        fields.append(name, HTTPFieldValue(replacingControls: value))
    }
}
