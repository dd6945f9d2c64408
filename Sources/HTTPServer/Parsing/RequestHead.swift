// SPDX-License-Identifier: Apache-2.0
import HTTP

/// A complete header section, checked for what concerns the connection.
struct RequestHead: Equatable {
    let request: HTTPRequest
    /// HTTP/1.0: no chunks in the answer, and the connection ends unless asked to stay.
    let isVersion10: Bool
    /// What the client wishes; the server may still end the connection.
    let isPersistent: Bool
    /// What `Content-Length` says; `nil` without one.
    let bodyBytes: Int?
    let isChunked: Bool
    /// The client waits for 100 before it sends the body.
    let expectsContinue: Bool

    /// Checks what the parser does not: exactly one `Host` in 1.1, `chunked` as the only coding and not in 1.0.
    static func check(
        method: HTTPMethod, target: HTTPTarget, fields: HTTPFields, isVersion10: Bool, bodyBytes: Int?
    ) -> Result<RequestHead, RequestRefused> {
        let hosts = fields.values(.host)
        guard hosts.count == 1 || (isVersion10 && hosts.isEmpty), hosts.allSatisfy(isHost) else {
            return .failure(RequestRefused(.malformed("The request must name its host once.")))
        }
        let codings = fields.values(.transferEncoding)
        if !codings.isEmpty {
            guard !isVersion10, bodyBytes == nil else {
                return .failure(RequestRefused(.malformed("The request's length is ambiguous.")))
            }
            guard codings.count == 1, codings[0].lowercased() == "chunked" else {
                let known = codings.joined(separator: ",").lowercased().split(separator: ",").allSatisfy {
                    ["chunked", "identity", ""].contains($0.filter { $0 != " " && $0 != "\t" })
                }
                return .failure(
                    RequestRefused(known ? .malformed("The transfer coding must be chunked, once.") : .codingUnknown))
            }
        }
        let isPersistent =
            isVersion10
            ? fields.hasMember("keep-alive", in: .connection) && !fields.hasMember("close", in: .connection)
            : !fields.hasMember("close", in: .connection)
        return .success(
            RequestHead(
                request: HTTPRequest(method: method, target: target, fields: fields), isVersion10: isVersion10,
                isPersistent: isPersistent, bodyBytes: bodyBytes, isChunked: !codings.isEmpty,
                expectsContinue: !isVersion10 && fields.hasMember("100-continue", in: .expect)))
    }

    /// Whether there are body bytes to wait for.
    var hasBody: Bool { isChunked || (bodyBytes ?? 0) > 0 }

    private static func isHost(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            case 0x21, 0x24, 0x25, 0x26...0x2E, 0x3A, 0x3B, 0x3D, 0x5B, 0x5D, 0x5F, 0x7E: true
            default: false
            }
        }
    }
}

/// A refusal as an error, for `Result`.
struct RequestRefused: Error, Equatable {
    let refusal: RequestRefusal
    init(_ refusal: RequestRefusal) { self.refusal = refusal }
}
