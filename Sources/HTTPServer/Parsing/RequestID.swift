// SPDX-License-Identifier: Apache-2.0
import HTTP

/// The id under which a request is found in logs and answers.
enum RequestID {
    /// The client's own when it is 1 to 64 of `[A-Za-z0-9._-]`, so that it is safe in logs and JSON; else a new one.
    static func of(_ request: HTTPRequest?) -> String {
        guard let sent = request?.fields[.xRequestID], isValid(sent) else { return random() }
        return sent
    }

    /// A random UUID (version 4).
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = (generator.next() & ~0xF000) | 0x4000
        let low = (generator.next() & ~(3 << 62)) | (2 << 62)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (index, shift) in stride(from: 60, through: 0, by: -4).enumerated() {
            if index == 8 || index == 12 { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(high >> UInt64(shift) & 15)])
        }
        text.append(UInt8(ascii: "-"))
        for (index, shift) in stride(from: 60, through: 0, by: -4).enumerated() {
            if index == 4 { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(low >> UInt64(shift) & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        return (1...64).contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }
}
