// SPDX-License-Identifier: Apache-2.0

import CSodium

/// libsodium wants one call before any other; it is made by whoever comes first.
enum Sodium {
    private static let isReady = sodium_init() >= 0

    /// Traps when the library cannot start (no source of randomness): nothing here could be done safely then.
    static func start() { precondition(isReady, "libsodium could not be initialised") }
}
