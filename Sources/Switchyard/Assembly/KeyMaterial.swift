// SPDX-License-Identifier: Apache-2.0
import Cryptography
import FoundationEssentials
import Observability

/// The process's keys: from the environment, else from files in the data folder that are made once.
///
/// Several machines need the same keys: there the environment must give them. There is no built-in key.
struct KeyMaterial {
    let keyRing: KeyRing
    let signingKey: SigningKey

    init(_ configuration: Configuration) throws {
        let encryption = try Self.text(configuration.encryptionKey, "encryption.key", configuration)
        let signing = try Self.text(configuration.jwtSecret, "jwt.key", configuration)
        do throws(CryptographyError) {
            keyRing = KeyRing(current: try EncryptionKey(text: encryption.revealed()), previous: [])
            signingKey = try SigningKey(text: signing.revealed())
        } catch {
            throw ConfigurationError(problems: [
                "ENCRYPTION_KEY and JWT_SECRET must be 64 hex digits or random text of at least 32 bytes"
            ])
        }
    }

    private static func text(_ given: Secret?, _ file: String, _ configuration: Configuration) throws -> Secret {
        if let given { return given }
        let path = configuration.dataDirectory + "/" + file
        if let bytes = FileManager.default.contents(atPath: path) {
            return Secret(String(decoding: bytes, as: UTF8.self).trimmingSpaces)
        }
        try FileManager.default.createDirectory(
            atPath: configuration.dataDirectory, withIntermediateDirectories: true)
        let text = EncryptionKey.generateText()
        let made = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        if !made { throw ConfigurationError(problems: ["the key file \(path) cannot be written"]) }
        return Secret(text)
    }
}
