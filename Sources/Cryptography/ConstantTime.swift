// SPDX-License-Identifier: Apache-2.0

import CSodium

/// Comparisons whose time does not tell where the first difference is.
package enum ConstantTime {
    /// For values of a fixed length, such as hashes. Another length is told at once: it is no secret.
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return unsafe sodium_memcmp(left, right, left.count) == 0
    }

    /// For texts such as a configured token, whose length is a secret too: their hashes are compared.
    package static func areEqual(_ left: String, _ right: String) -> Bool {
        areEqual(SHA256.hash(Array(left.utf8)), SHA256.hash(Array(right.utf8)))
    }
}
