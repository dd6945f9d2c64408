// SPDX-License-Identifier: Apache-2.0

import CSodium

/// Base64 without padding by libsodium, strict and without table look-ups: one text for each value.
enum Base64 {
    /// Which two characters follow the letters and digits.
    enum Alphabet {
        /// `+` and `/`.
        case standard
        /// `-` and `_`.
        case url

        fileprivate var variant: Int32 {
            switch self {
            case .standard: Int32(sodium_base64_VARIANT_ORIGINAL_NO_PADDING)
            case .url: Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING)
            }
        }
    }

    static func encode(_ bytes: [UInt8], alphabet: Alphabet = .standard) -> String {
        var text = [CChar](repeating: 0, count: sodium_base64_encoded_len(bytes.count, alphabet.variant))
        unsafe sodium_bin2base64(&text, text.count, bytes, bytes.count, alphabet.variant)
        return String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `nil` for padding, white space, another alphabet, and stray bits in the last character.
    static func decode(_ text: some StringProtocol, alphabet: Alphabet = .standard) -> [UInt8]? {
        let digits = text.utf8.map { CChar(bitPattern: $0) }
        var bytes = [UInt8](repeating: 0, count: digits.count / 4 * 3 + 3)
        var count = 0
        let failure = unsafe sodium_base642bin(
            &bytes, bytes.count, digits, digits.count, nil, &count, nil, alphabet.variant)
        return failure == 0 ? Array(bytes.prefix(count)) : nil
    }
}
