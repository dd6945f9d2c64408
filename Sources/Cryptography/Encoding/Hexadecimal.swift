// SPDX-License-Identifier: Apache-2.0

import CSodium

/// Hexadecimal text. Without table look-ups, so that keys can pass through it.
package enum Hexadecimal {
    /// Two lower-case digits a byte.
    package static func encode(_ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: bytes.count * 2 + 1)
        unsafe sodium_bin2hex(&text, text.count, bytes, bytes.count)
        return String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Digits of either case and nothing else, an even number of them.
    /// - Throws: `encodingInvalid`.
    package static func decode(_ text: String) throws(CryptographyError) -> [UInt8] {
        let digits = text.utf8.map { CChar(bitPattern: $0) }
        var bytes = [UInt8](repeating: 0, count: digits.count / 2)
        var count = 0
        let failure = unsafe sodium_hex2bin(&bytes, bytes.count, digits, digits.count, nil, &count, nil)
        guard failure == 0, count * 2 == digits.count else { throw CryptographyError(.encodingInvalid) }
        return bytes
    }
}
