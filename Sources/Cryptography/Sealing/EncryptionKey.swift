// SPDX-License-Identifier: Apache-2.0

/// A key for sealed boxes, 256 bits.
package struct EncryptionKey: Sendable {
    /// Tells keys apart in stored boxes: the first four bytes of the key's SHA-256. Not a secret.
    package let id: [UInt8]
    let material: KeyMaterial

    /// From `ENCRYPTION_KEY`: 64 hexadecimal digits, or a random text of at least 32 bytes.
    /// - Throws: `keyTooShort`.
    package init(text: String) throws(CryptographyError) {
        self.init(material: try KeyMaterial(text: text, purpose: .encryption))
    }

    init(material: KeyMaterial) {
        self.init(id: Array(SHA256.hash(material.bytes).prefix(SealedBox.keyIDBytes)), material: material)
    }

    init(id: [UInt8], material: KeyMaterial) {
        self.id = id
        self.material = material
    }

    /// A new random key in the form `init(text:)` reads, for the file the embedded default keeps.
    package static func generateText() -> String { Hexadecimal.encode(RandomBytes.generate(count: 32)) }
}
