// SPDX-License-Identifier: Apache-2.0

/// Seals values for storage (providers' keys, for one) and opens them again, across changes of the key.
///
/// AES-256-GCM with a random 96-bit nonce for each box: a key is good for some 2^32 boxes. The associated data
/// is what the value belongs to (table, row, column); it is not stored, and a box copied to another row does
/// not open there.
/// Any thread. Cost: microseconds for a key's size; large values off the event loops.
package struct KeyRing: Sendable {
    private let current: EncryptionKey
    private let previous: [EncryptionKey]

    /// New boxes are sealed under `current`; those of `previous` keys can still be opened.
    package init(current: EncryptionKey, previous: [EncryptionKey] = []) {
        self.current = current
        self.previous = previous
    }

    /// Seals up to 1 GiB.
    /// - Throws: `inputTooLarge`, `libraryFailure`.
    package func seal(_ plaintext: [UInt8], associatedData: [UInt8]) throws(CryptographyError) -> SealedBox {
        let nonce = RandomBytes.generate(count: SealedBox.nonceBytes)
        let sealed = try AESGCM.seal(
            plaintext, key: current.material.bytes, nonce: nonce,
            associatedData: SealedBox.header(keyID: current.id) + associatedData)
        return SealedBox(keyID: current.id, nonce: nonce, ciphertextAndTag: sealed)
    }

    /// Opens a box sealed under any key of the ring with the same associated data.
    /// - Throws: `keyUnknown`, `boxTampered`, `inputTooLarge`, `libraryFailure`.
    package func open(_ box: SealedBox, associatedData: [UInt8]) throws(CryptographyError) -> [UInt8] {
        let candidates = ([current] + previous).filter { $0.id == box.keyID }
        guard !candidates.isEmpty else { throw CryptographyError(.keyUnknown) }
        for key in candidates {
            let plaintext = try AESGCM.open(
                box.ciphertextAndTag, key: key.material.bytes, nonce: box.nonce,
                associatedData: SealedBox.header(keyID: key.id) + associatedData)
            if let plaintext { return plaintext }
        }
        throw CryptographyError(.boxTampered)
    }
}
