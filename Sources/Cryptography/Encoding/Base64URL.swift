// SPDX-License-Identifier: Apache-2.0

/// base64url of RFC 4648 section 5 without padding, as tokens use it. Without table look-ups.
package enum Base64URL {
    /// Text of `A-Z a-z 0-9 - _`.
    package static func encode(_ bytes: [UInt8]) -> String { Base64.encode(bytes, alphabet: .url) }

    /// Strict: no padding, no white space, no other alphabet, no stray bits in the last character, so that each
    /// value has exactly one text.
    /// - Throws: `encodingInvalid`.
    package static func decode(_ text: some StringProtocol) throws(CryptographyError) -> [UInt8] {
        guard let bytes = Base64.decode(text, alphabet: .url) else { throw CryptographyError(.encodingInvalid) }
        return bytes
    }
}
