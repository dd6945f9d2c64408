// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// SHA-256 of data that comes in pieces; `SHA256.hash` where it is at hand. 32 bytes result.
///
/// Not to be shared between threads. Cost: milliseconds a MiB, so large bodies are hashed as they arrive rather
/// than at once on an event loop.
@safe
package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Traps only when memory is exhausted.
    package init() {
        guard let context = unsafe EVP_MD_CTX_new(), unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure("OpenSSL has no SHA-256")
        }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Takes the next piece.
    package mutating func update(_ bytes: Span<UInt8>) {
        let done = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        precondition(done == 1, "OpenSSL failed to hash")
    }

    /// Ends with the 32 bytes of the hash.
    package consuming func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let done = unsafe EVP_DigestFinal_ex(context, &digest, nil)
        precondition(done == 1, "OpenSSL failed to hash")
        return digest
    }

    /// The hash of one piece.
    package static func hash(_ bytes: Span<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    /// The hash of one piece.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] { hash(bytes.span) }
}
