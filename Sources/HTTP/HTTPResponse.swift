// SPDX-License-Identifier: Apache-2.0

/// A response's head. The body is delivered apart from it, and its framing fields belong to the server.
package struct HTTPResponse: Sendable, Equatable {
    /// The outcome.
    package var status: HTTPStatus
    /// The details.
    package var fields: HTTPFields

    /// A head from checked parts.
    package init(_ status: HTTPStatus, fields: HTTPFields = [:]) {
        self.status = status
        self.fields = fields
    }

    /// Appends the status line and the fields as HTTP/1.1 writes them, without the empty line that ends the head.
    package func encode(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: "HTTP/1.1 ".utf8)
        HTTPResponse.encode(decimal: status.code, into: &bytes)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: status.reason.description.utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        for field in fields {
            bytes.append(contentsOf: field.name.text.utf8)
            bytes.append(contentsOf: ": ".utf8)
            bytes.append(contentsOf: field.value.text.utf8)
            bytes.append(contentsOf: "\r\n".utf8)
        }
    }

    private static func encode(decimal number: Int, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 100))
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10 % 10))
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }
}
