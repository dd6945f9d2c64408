// SPDX-License-Identifier: Apache-2.0

/// The key of our access and refresh tokens.
package struct SigningKey: Sendable {
    let material: KeyMaterial

    /// From `JWT_SECRET`: 64 hexadecimal digits, or a random text of at least 32 bytes. The same text as
    /// `ENCRYPTION_KEY` gives another key.
    /// - Throws: `keyTooShort`.
    package init(text: String) throws(CryptographyError) {
        material = try KeyMaterial(text: text, purpose: .signing)
    }

    init(bytes: [UInt8]) { material = KeyMaterial(bytes: bytes) }
}
