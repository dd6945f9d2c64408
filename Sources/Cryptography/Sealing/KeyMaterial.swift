// SPDX-License-Identifier: Apache-2.0

import CSodium

/// The bytes of a secret key. Never shown by anything that prints or reflects.
struct KeyMaterial: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What a text is turned into a key for: the same text gives another key for each.
    enum Purpose: String {
        // Exactly 16 bytes: BLAKE2b's personalisation.
        case encryption = "switchyard seal1"
        case signing = "switchyard sign1"
    }

    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// 64 hexadecimal digits are the key itself; any other text of 32 bytes or more is turned into one by
    /// BLAKE2b. That is no password hash: the text must be random, its length is only the least we can ask.
    init(text: String, purpose: Purpose) throws(CryptographyError) {
        if text.utf8.count == 64, text.utf8.allSatisfy(Self.isHexadecimalDigit) {
            bytes = try Hexadecimal.decode(text)
            return
        }
        guard text.utf8.count >= 32 else { throw CryptographyError(.keyTooShort) }
        Sodium.start()
        let input = Array(text.utf8)
        let salt = [UInt8](repeating: 0, count: Int(crypto_generichash_blake2b_SALTBYTES))
        var key = [UInt8](repeating: 0, count: 32)
        let failure = unsafe crypto_generichash_blake2b_salt_personal(
            &key, key.count, input, UInt64(input.count), nil, 0, salt, Array(purpose.rawValue.utf8))
        guard failure == 0 else { throw CryptographyError(.libraryFailure) }
        bytes = key
    }

    private static func isHexadecimalDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    var description: String { "***" }
    var debugDescription: String { "***" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
