// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// HMAC with SHA-256 (RFC 2104): proves that whoever made a message knew the key.
package enum HMACSHA256 {
    /// The 32-byte code. Keys may have any length; below 32 bytes they are the weakest part.
    package static func authenticationCode(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        let result = unsafe HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &code, nil)
        guard unsafe result != nil else { preconditionFailure("OpenSSL has no HMAC-SHA-256") }
        return code
    }

    /// Compares in constant time.
    package static func isValid(_ code: [UInt8], for message: [UInt8], key: [UInt8]) -> Bool {
        ConstantTime.areEqual(code, authenticationCode(for: message, key: key))
    }
}
