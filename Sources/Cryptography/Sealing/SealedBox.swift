// SPDX-License-Identifier: Apache-2.0

/// The stored form of a sealed value, version 1:
///
///     1 byte version = 1 | 4 bytes key id | 12 bytes nonce | ciphertext | 16 bytes tag
///
/// Version and key id are authenticated together with the caller's associated data.
package struct SealedBox: Sendable, Hashable {
    static let version: UInt8 = 1
    static let keyIDBytes = 4
    static let headerBytes = 1 + keyIDBytes
    static let nonceBytes = 12
    static let tagBytes = 16

    /// How much longer a box is than what it holds.
    package static let overheadBytes = headerBytes + nonceBytes + tagBytes

    /// The whole box, to be stored.
    package let bytes: [UInt8]

    /// Takes what was stored. Only the format is looked at; `KeyRing.open` says whether it is genuine.
    /// - Throws: `boxMalformed`.
    package init(bytes: [UInt8]) throws(CryptographyError) {
        guard bytes.count >= Self.overheadBytes, bytes[0] == Self.version else {
            throw CryptographyError(.boxMalformed)
        }
        self.bytes = bytes
    }

    init(keyID: [UInt8], nonce: [UInt8], ciphertextAndTag: [UInt8]) {
        bytes = Self.header(keyID: keyID) + nonce + ciphertextAndTag
    }

    /// Which key it was sealed under.
    package var keyID: [UInt8] { Array(bytes[1..<Self.headerBytes]) }

    var nonce: [UInt8] { Array(bytes[Self.headerBytes..<(Self.headerBytes + Self.nonceBytes)]) }
    var ciphertextAndTag: [UInt8] { Array(bytes[(Self.headerBytes + Self.nonceBytes)...]) }

    static func header(keyID: [UInt8]) -> [UInt8] { [version] + keyID }
}
